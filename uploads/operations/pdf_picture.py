"""Puts a picture on a page of a PDF: JPEGs bit by bit, upright, on paper; knows no operation."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import img2pdf
import pikepdf
import pyvips
from pikepdf import Array, Dictionary, Name
from PIL import Image

from uploads.errors import InputError
from uploads.operations import pixels
from uploads.operations.base import Context
from uploads.operations.pdf_growing import Growing

PAPERS = {"a4": (595.28, 841.89), "letter": (612.0, 792.0)}
POINTS_PER_MILLIMETRE = 72 / 25.4
# Never enlarged beyond this; the density of a page as large as its picture where none is noted.
LEAST_DPI, USUAL_DPI = 72.0, 150.0
# What programs write that know no density.
MEANINGLESS_DPI = {72, 96}
LONGEST_POINTS = 14_400
# Which densities are meant, and how far apart across and down: faxes have 204 × 98 dots an inch.
LEAST_NOTED, MOST_NOTED, MOST_APART = 50, 2400, 4
# Turns in EXIF from which on width and height change places.
LYING = 5
EMBEDDED = {"jpeg", "png"}
QUALITY = 92
# How the unit square must be turned for each EXIF orientation (CIPA DC-008, tag 274).
TURNS = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
UNFIT = (
    img2pdf.ImageOpenError,
    img2pdf.JpegColorspaceError,
    img2pdf.PdfTooLargeError,
    img2pdf.AlphaChannelError,
    NotImplementedError,
    ValueError,
    OSError,
    SyntaxError,
)
# The picture's size was checked by our own limit.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Sheet:
    """What a picture lies on; the margin in points."""

    paper: Literal["a4", "letter", "picture"]
    margin: float = 0.0
    turned: bool = True


def add_pages(growing: Growing, source: Path, name: str, sheet: Sheet, step: Context[Any]) -> None:
    """Append a page with the picture, or one for each page of a TIFF, as faxes and scanners write them.

    Raises `InputError` as pictures do (`image_damaged`, `media_too_large`, …); then it has added none.
    """
    header = pixels.read_header(source, name)
    if header.kind != "tiff" or header.frames == 1:
        add_page(growing, source, name, sheet, step)
        return
    begin = len(growing.pdf.pages)
    try:
        pixels.refuse_many(header.frames, name, step.limits)
        for frame in range(header.frames):
            _add_frame(growing, source, frame, name, sheet, step)
    except InputError:
        del growing.pdf.pages[begin:]
        raise


def _add_frame(
    growing: Growing, source: Path, frame: int, name: str, sheet: Sheet, step: Context[Any]
) -> None:
    single = step.path("frame.tif")
    try:
        image = pyvips.Image.new_from_file(str(source), page=frame, access="sequential")
        image.tiffsave(str(single), compression="deflate")
    except pyvips.Error as error:
        reason = f"its page {frame + 1} can't be read."
        raise InputError("image_damaged", name=name, reason=reason) from error
    add_page(growing, single, name, sheet, step)
    single.unlink()
    growing.settle()


def add_page(growing: Growing, source: Path, name: str, sheet: Sheet, step: Context[Any]) -> None:
    """Append a page with the picture; raises `InputError` as pictures do (`image_damaged`, …)."""
    header = pixels.read_header(source, name)
    pixels.refuse_large(header, name, step.limits)
    if header.frames > 1:
        step.warn(f"Only the first of {header.frames} pictures in “{name}” was taken.")
    wrapped, turn = _wrapped_picture(source, header, name, step)
    pdf = growing.pdf
    (only,) = growing.keep(pikepdf.open(wrapped)).pages
    wrapped.unlink()  # an open file stays until it is closed
    (picture,) = only.obj.Resources.XObject.as_dict().values()
    drawn = pdf.copy_foreign(picture)
    page, box = _place(_shaped(header, source), sheet, _density(source))
    a, b, c, d, e, f = TURNS[turn]
    left, bottom, width, height = box
    matrix = (a * width, b * height, c * width, d * height, left + e * width, bottom + f * height)
    content = f"q {' '.join(f'{value:.4f}' for value in matrix)} cm /Im0 Do Q".encode()
    made = Dictionary(
        Type=Name.Page,
        MediaBox=Array([0, 0, *(round(edge, 3) for edge in page)]),
        Resources=Dictionary(XObject=Dictionary(Im0=drawn)),
        Contents=pdf.make_stream(content),
    )
    pdf.pages.append(pikepdf.Page(pdf.make_indirect(made)))


def _wrapped_picture(
    source: Path, header: pixels.Header, name: str, step: Context[Any]
) -> tuple[Path, int]:
    """Return a document of the picture alone, and how it has to be turned."""
    opaque = header.kind == "jpeg" or not _header(source).hasalpha()
    if header.kind in EMBEDDED and opaque and _is_whole(source):
        try:
            return _wrapped(source, step), _orientation(source)
        except UNFIT as error:
            step.log(f"{name} was encoded again: {str(error)[:200]}")
    image, damaged = pixels.decode(source, header, name, None, frames=False)
    if damaged:
        step.warn(f"“{name}” is damaged or ends early; a part of it may be missing.")
    if image.hasalpha():
        image = image.flatten(background=list(pixels.WHITE))
    exact = header.kind in {"png", "gif", "tiff"}
    plain = step.path("picture.png" if exact else "picture.jpg")
    pixels.write(image, plain, "png" if exact else "jpeg", QUALITY, "strip")
    try:
        return _wrapped(plain, step), 1
    finally:
        plain.unlink()


def _wrapped(source: Path, step: Context[Any]) -> Path:
    target = step.path("wrapped.pdf")
    with target.open("wb") as file:
        img2pdf.convert(
            str(source),
            outputstream=file,
            rotation=img2pdf.Rotation.none,
            engine=img2pdf.Engine.internal,
        )
    return target


def _header(source: Path) -> Any:
    return pyvips.Image.new_from_file(str(source), access="sequential")


def _is_whole(source: Path) -> bool:
    """Tell whether a picture can be decoded to its end: readers of PDFs do not say what is missing."""
    try:
        pyvips.Image.new_from_file(str(source), access="sequential", fail_on="error").avg()
    except pyvips.Error:
        return False
    return True


def _orientation(source: Path) -> int:
    image = _header(source)
    found = image.get("orientation") if image.get_typeof("orientation") else 1
    return found if found in TURNS else 1


def _shaped(header: pixels.Header, source: Path) -> pixels.Header:
    """Return the size in square dots: a fax has twice as many across as down."""
    try:
        image = _header(source)
    except pyvips.Error:
        return header
    across, down = (round(pace * 25.4) for pace in (image.xres, image.yres))
    if across == down or not all(LEAST_NOTED <= dots <= MOST_NOTED for dots in (across, down)):
        return header
    if not 1 / MOST_APART <= across / down <= MOST_APART:
        return header
    if _orientation(source) >= LYING:
        across, down = down, across
    return replace(header, height=round(header.height * across / down))


def _density(source: Path) -> float:
    """Return dots per inch as a scanner noted them, else a usual value."""
    try:
        noted = _header(source).xres * 25.4
    except pyvips.Error:
        return USUAL_DPI
    plausible = 100 <= noted <= 2400 and round(noted) not in MEANINGLESS_DPI
    return float(noted) if plausible else USUAL_DPI


def _place(
    header: pixels.Header, sheet: Sheet, density: float
) -> tuple[tuple[float, float], tuple[float, float, float, float]]:
    """Return the page's size and where on it the picture lies, in points: left, bottom, size."""
    natural = [edge * 72 / density for edge in (header.width, header.height)]
    if sheet.paper == "picture":
        room = LONGEST_POINTS - 2 * sheet.margin
        scale = min(1.0, room / max(natural))
        width, height = (max(1.0, edge * scale) for edge in natural)
        page = (width + 2 * sheet.margin, height + 2 * sheet.margin)
        return page, (sheet.margin, sheet.margin, width, height)
    short, long = PAPERS[sheet.paper]
    wide = sheet.turned and header.width > header.height
    page = (long, short) if wide else (short, long)
    room_x, room_y = (edge - 2 * sheet.margin for edge in page)
    scale = min(room_x / header.width, room_y / header.height, 72 / LEAST_DPI)
    width, height = header.width * scale, header.height * scale
    return page, ((page[0] - width) / 2, (page[1] - height) / 2, width, height)
