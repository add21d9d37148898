"""Draws pages of a PDF with PDFium: one page in memory at a time; knows no options of operations.

Imported inside the functions of operations alone; web and worker processes need no PDFium.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
import pyvips

from uploads.errors import InputError
from uploads.operations import pdf_file
from uploads.operations.base import Context

POINTS_PER_INCH = 72
MILLIMETRES_PER_INCH = 25.4
PRINTING = 1 << 2
EXTRACTING = 1 << 4
# What PDFium writes for a hyphen at a line's end, and for what has no character.
HYPHENS = {0xFFFE: "-", 0x02: "-", 0x00: None, 0xFFFF: None}


@dataclass(frozen=True)
class Look:
    """How a page is drawn; without its `text` all the rest is."""

    grey: bool = False
    transparent: bool = False
    notes: bool = True
    text: bool = True


@contextmanager
def opened(
    source: Path, step: Context[Any], permission: int | None = None
) -> Iterator[pypdfium2.PdfDocument]:
    """Open a document to be drawn; one that PDFium can't read is repaired first, with a warning.

    Raises `InputError` (`empty_file`, `not_a_pdf`, `pdf_password`, `pdf_damaged`), and
    `pdf_locked` when its author does not give the permission (a bit of ISO 32000-1, table 22).
    """
    pdf_file.refuse_other(source, step.name)
    document = _open(source, step)
    try:
        if not len(document):
            raise InputError("pdf_damaged", name=step.name, reason="it has no pages.")
        granted = pdfium.FPDF_GetDocPermissions(document)
        if permission is not None and not granted & permission:
            deed = "print_lowres" if permission == PRINTING else "extract"
            raise InputError("pdf_locked", name=step.name, deed=pdf_file.DEEDS[deed])  # type: ignore[index]
        if document.get_formtype() != pdfium.FORMTYPE_NONE:
            document.init_forms()
        yield document
    finally:
        document.close()


def _open(source: Path, step: Context[Any]) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise InputError("pdf_password", name=step.name) from error
    repaired = step.path("repaired.pdf")
    with pdf_file.opened(source, step.name, step) as pdf, pdf_file.reading(step.name):
        pdf.save(repaired)
    try:
        return pypdfium2.PdfDocument(repaired)
    except pypdfium2.PdfiumError as error:
        raise InputError("pdf_damaged", name=step.name, reason="it can't be drawn.") from error
    finally:
        repaired.unlink()  # an open file stays until it is closed


def size_of(document: pypdfium2.PdfDocument, place: int) -> tuple[float, float]:
    """Return width and height of a page as it is seen, in points; one inch each where it has none."""
    try:
        width, height = document.get_page_size(place)
    except pypdfium2.PdfiumError:
        return POINTS_PER_INCH, POINTS_PER_INCH
    whole = all(math.isfinite(edge) and edge > 0 for edge in (width, height))
    return (width, height) if whole else (POINTS_PER_INCH, POINTS_PER_INCH)


def draw(document: pypdfium2.PdfDocument, place: int, scale: float, look: Look) -> Any | None:
    """Return one page as a picture of so many pixels a point, or None when it can't be drawn."""
    ground = (255, 255, 255, 0 if look.transparent else 255)
    try:
        page = document[place]
        try:
            if not look.text:
                _hide_text(page)
            bitmap = page.render(
                scale=scale,
                fill_color=ground,
                draw_annots=look.notes,
                may_draw_forms=look.notes,
                rev_byteorder=True,
                prefer_bgrx=True,
                limit_image_cache=True,
            )
        finally:
            page.close()
    except (pypdfium2.PdfiumError, ValueError):
        return None
    return _picture(bitmap, scale, look)


def _hide_text(page: Any) -> None:
    """Make what is written on a page unseen, until it is closed."""
    for written in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT], max_depth=8):
        pdfium.FPDFTextObj_SetTextRenderMode(written.raw, pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)


def _picture(bitmap: Any, scale: float, look: Look) -> Any:
    """Return a bitmap as a picture that shares its memory."""
    image = pyvips.Image.new_from_memory(
        bitmap.buffer, bitmap.stride // 4, bitmap.height, 4, "uchar"
    )
    image = image if image.width == bitmap.width else image.crop(0, 0, bitmap.width, bitmap.height)
    pace = scale * POINTS_PER_INCH / MILLIMETRES_PER_INCH
    image = image.copy(interpretation="srgb", xres=pace, yres=pace)
    image = image if look.transparent else image[0:3]
    return image.colourspace("b-w") if look.grey else image


def plain(text: str) -> str:
    """Return what PDFium reads with the line ends and hyphens of a text file."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(HYPHENS)
