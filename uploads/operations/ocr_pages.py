"""Pages as text recognition needs them: which have no text, how sharp to draw them, upright."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2
import pypdfium2.raw as pdfium
import pyvips

from uploads.operations import pdf_draw, pdf_picture, pdf_save, pixels
from uploads.operations.base import Context, Json
from uploads.operations.pdf_growing import Growing

if TYPE_CHECKING:
    from uploads.operations.pdf_ocr import Recognise

# Tesseract reads letters of 20 to 40 pixels best: 300 dots per inch for what is printed.
USUAL_DPI, MOST_DPI, LEAST_DPI = 300, 400, 70
# Pictures of fewer dots are enlarged up to so much, and only as far as they stay so small.
ENLARGED, ENLARGED_PIXELS = 2.0, 12e6
MOST_PIXELS = 32e6
# What stands in its own text: with less than this a page counts as a picture.
LEAST_CHARACTERS = 3
TURNS = {90: "d90", 180: "d180", 270: "d270"}


@contextmanager
def shown(source: Path, step: "Context[Recognise]") -> Iterator[Path]:
    """Yield the document itself, or for a while one that shows the picture on pages of its size."""
    if not source.stat().st_size or pixels.kind_of(source) is None:
        yield source
        return
    made = step.path("picture.pdf")
    try:
        with Growing(step) as growing:
            sheet = pdf_picture.Sheet("picture")
            pdf_picture.add_pages(growing, source, step.name, sheet, step)
            pdf_save.save(growing.pdf, made)
        yield made
    finally:
        made.unlink(missing_ok=True)


def look(document: pypdfium2.PdfDocument, place: int, step: "Context[Recognise]") -> Json | None:
    """Return how a page is to be drawn; None for one whose own text is enough."""
    characters, dots = _content(document, place)
    if characters >= LEAST_CHARACTERS and (step.options.with_text == "leave" or not dots):
        return None
    width, height = pdf_draw.size_of(document, place)
    dpi = _dpi(width * height / pdf_draw.POINTS_PER_INCH**2, dots, step)
    pixel_count = width * height * (dpi / pdf_draw.POINTS_PER_INCH) ** 2
    return {"place": place, "dpi": dpi, "pixels": round(pixel_count)}


def _content(document: pypdfium2.PdfDocument, place: int) -> tuple[int, float]:
    """Return how many characters a page has, and the dots an inch of its sharpest picture."""
    try:
        page = document[place]
        try:
            dots = [_dots(picture) for picture in _pictures(page)]
            return len(_text(page).strip()), max(dots, default=0.0)
        finally:
            page.close()
    except (pypdfium2.PdfiumError, ValueError):
        return 0, 0.0


def _dpi(square_inches: float, noted: float, step: "Context[Recognise]") -> int:
    """Return how many dots an inch to draw: those that the page's picture has, or the usual."""
    wanted = float(USUAL_DPI)
    if noted:
        wanted = min(MOST_DPI, max(noted, LEAST_DPI))
        larger = min(USUAL_DPI, ENLARGED * wanted)
        if larger > wanted and square_inches * larger**2 <= ENLARGED_PIXELS:
            wanted = larger
    most = (min(MOST_PIXELS, step.limits.image_max_pixels) / max(1e-6, square_inches)) ** 0.5
    return max(1, int(min(wanted, most)))


def _pictures(page: Any) -> list[Any]:
    return list(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4))


def _dots(picture: Any) -> float:
    """Return the dots an inch of a picture as it lies on its page."""
    left, bottom, right, top = picture.get_bounds()
    width, height = picture.get_px_size()
    inches = max(right - left, top - bottom) / pdf_draw.POINTS_PER_INCH
    return float(max(width, height) / inches) if inches > 0 else 0.0


def draw(document: pypdfium2.PdfDocument, page: Json, step: "Context[Recognise]") -> Path | None:
    """Write one page as a grey picture, without the text that it has itself; None if it can't be drawn."""
    look = pdf_draw.Look(grey=True, notes=False, text=False)
    scale = page["dpi"] / pdf_draw.POINTS_PER_INCH
    image = pdf_draw.draw(document, page["place"], scale, look)
    if image is None:
        return None
    path = step.path(f"page-{page['place'] + 1}.png")
    image.pngsave(str(path), compression=1)
    return path


def turn(picture: Path, degrees: int) -> None:
    """Turn a written picture clockwise, in its place."""
    image = pyvips.Image.new_from_file(str(picture)).copy_memory()
    image.rot(TURNS[degrees]).pngsave(str(picture), compression=1)


def write_text(whole: Path, texts: dict[int, str], step: "Context[Recognise]") -> Path:
    """Write the text of all pages, their own or what was recognised; a form feed after each."""
    target = step.path("source.txt")
    with (
        pdf_draw.opened(whole, step, pdf_draw.EXTRACTING) as document,
        target.open("w", encoding="utf-8", errors="replace", newline="\n") as file,
    ):
        for place in range(len(document)):
            own = _own_text(document, place)
            file.write("\n\n".join(filter(None, [own, texts.get(place, "")])) + "\n\f")
    return target


def _own_text(document: pypdfium2.PdfDocument, place: int) -> str:
    try:
        page = document[place]
        try:
            return pdf_draw.plain(_text(page)).strip()
        finally:
            page.close()
    except (pypdfium2.PdfiumError, ValueError):
        return ""


def _text(page: Any) -> str:
    read = page.get_textpage()
    try:
        return str(read.get_text_range())
    finally:
        read.close()
