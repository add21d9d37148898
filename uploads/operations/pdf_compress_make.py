"""Makes a document smaller with qpdf and libvips, and compares how it looks; imported when needed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pikepdf
from pikepdf import Name

from uploads.errors import InputError, StepError
from uploads.operations import pdf_draw, pdf_file, pdf_pictures, pdf_save, pixels
from uploads.operations.base import Context, Output
from uploads.operations.pdf_placed import Finder

if TYPE_CHECKING:
    from uploads.operations.pdf_compress import Compress

# Pages that are compared, and how far from the source they may be: the mean of all pixels, of 255.
COMPARED, COMPARED_EDGE = 6, 500
MOST_DIFFERENT = 5.0
# What pages and documents hold for other programs or for nobody.
DISPENSABLE = (Name.PieceInfo, Name.Thumb)
FLATE_LEVEL = 9


def compress(source: Path, step: "Context[Compress]") -> Iterator[Output]:
    """Write the smaller document, or a copy where it can't be smaller; never a larger one.

    Pictures are encoded again only where the pages look the same afterwards.
    """
    pikepdf.settings.set_flate_compression_level(FLATE_LEVEL)
    target, sound = step.path("source.pdf"), True
    try:
        changed, pages = _smaller(source, target, step)
    except StepError:
        sound = pdf_file.is_sound(source)
        if sound:
            raise
        changed, pages = 0, _repaired(source, target, step)
    size = source.stat().st_size
    meta = {"pages": pages, "source_bytes": size, "pictures": changed}
    if sound and target.stat().st_size >= size:
        step.log("Already small: copied.")
        shutil.copyfile(source, target)
        meta |= {"copied": True, "pictures": 0}
    else:
        with pdf_file.reading(step.name), pikepdf.open(source) as pdf:
            pdf_save.warn_of_signature(pdf, step.name, step)
    yield Output(target, meta=meta)
    yield from pdf_save.first_page(target, step)


def _repaired(source: Path, target: Path, step: "Context[Compress]") -> int:
    """Write what is left of a damaged document, with its pictures as they are; returns its pages."""
    _write(source, target, step, pictures=False)
    try:
        with pikepdf.open(target) as made:
            pages = len(made.pages)
        pdf_save.check(target, pages, step)
    except (StepError, pikepdf.PdfError) as error:
        reason = "it can't be repaired."
        raise InputError("pdf_damaged", name=step.name, reason=reason) from error
    step.warn("What is left of it can't be compared with the source; look at the result.")
    return pages


def _smaller(source: Path, target: Path, step: "Context[Compress]") -> tuple[int, int]:
    """Write the document; returns how many of its pictures became smaller, and its pages."""
    changed = _write(source, target, step, pictures=step.options.images)
    pages = _check(source, target, step)
    if pages is None and changed:
        step.warn("Encoding its pictures again would show: they were left as they are.")
        changed = _write(source, target, step, pictures=False)
        pages = _check(source, target, step)
    if pages is None:
        raise StepError("verification_failed", name=step.name, reason="its pages look different.")
    return changed, pages


def _write(source: Path, target: Path, step: "Context[Compress]", *, pictures: bool) -> int:
    """Write the document; returns how many of its pictures became smaller."""
    changed = 0
    opened = pdf_file.opened(source, step.name, step, "modify_other")
    with opened as pdf, pdf_file.reading(step.name):
        if pictures:
            changed = _shrink(pdf, step)
        for holder in (pdf.Root, *(page.obj for page in pdf.pages)):
            for key in DISPENSABLE:
                if key in holder:
                    del holder[key]
        pdf.remove_unreferenced_resources()
        step.report(0.75, "packing")
        pdf_save.save(pdf, target, small=True)
    return changed


def _shrink(pdf: pikepdf.Pdf, step: "Context[Compress]") -> int:
    """Encode again what is sharper than needed, or badly packed; returns how many it were."""
    finder, pages = Finder(), list(pdf.pages)
    for done, page in enumerate(pages):
        step.report(0.2 * done / len(pages), "looking for pictures")
        try:
            finder.look(page)
        except pdf_file.UNREADABLE:
            step.log(f"Page {done + 1} holds something odd; its pictures may stay as they are.")
    changed = 0
    for done, placed in enumerate(finder.found.values()):
        step.report(0.2 + 0.5 * done / len(finder.found), f"{done} of {len(finder.found)} pictures")
        changed += pdf_pictures.shrink(placed, step.options.dpi, step.options.quality, step.limits)
    return changed


def _check(source: Path, target: Path, step: "Context[Compress]") -> int | None:
    """Read the result back; returns its pages, or None when some look different."""
    with pdf_draw.opened(source, step) as before:
        pages = len(before)
        pdf_save.check(target, pages, step)
        with pdf_draw.opened(target, step) as after:
            for number, place in enumerate(_some(pages)):
                step.report(0.85 + 0.02 * number, "comparing")
                if _difference(before, after, place) > MOST_DIFFERENT:
                    return None
    return pages


def _some(pages: int) -> list[int]:
    """Return a few places, from the first to the last."""
    if pages <= COMPARED:
        return list(range(pages))
    return [round(number * (pages - 1) / (COMPARED - 1)) for number in range(COMPARED)]


def _difference(before: Any, after: Any, place: int) -> float:
    """Return how far two drawings of a page are from each other on average, 0…255."""
    scale = COMPARED_EDGE / max(pdf_draw.size_of(before, place))
    one, two = (
        pdf_draw.draw(document, place, scale, pdf_draw.Look()) for document in (before, after)
    )
    if one is None or two is None:
        return 0.0 if one is two else 255.0
    if pixels.size_of(one) != pixels.size_of(two):
        return 255.0
    return float((one - two).abs().avg())
