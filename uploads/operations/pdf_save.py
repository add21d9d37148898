"""Writes a finished PDF, reads it back, and pictures its first page; knows no operation."""

from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2

from uploads.errors import StepError
from uploads.operations import pdf_draw, pdf_file
from uploads.operations.base import Context, Output
from uploads.operations.preview import EDGE, preview


def save(pdf: pikepdf.Pdf, path: Path, *, small: bool = False) -> None:
    """Write a document without what nothing in it refers to; `small` spends time on its size."""
    how: dict[str, Any] = {"recompress_flate": True, "linearize": True} if small else {}
    pdf.save(
        path,
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
        stream_decode_level=pikepdf.StreamDecodeLevel.generalized,
        deterministic_id=True,
        **how,
    )


def check(path: Path, pages: int, step: Context[Any]) -> None:
    """Read a result back; raises `StepError` (`verification_failed`) unless it has these pages."""
    try:
        with pikepdf.open(path) as made, pypdfium2.PdfDocument(path) as drawn:
            found = {len(made.pages), len(drawn)}
            complaints = made.get_warnings()
    except (pikepdf.PdfError, pypdfium2.PdfiumError) as error:
        raise StepError(
            "verification_failed", name=step.name, reason=pdf_file.reason(error)
        ) from error
    if found != {pages} or complaints:
        reason = (
            pdf_file.reason(complaints[0])
            if complaints
            else f"{max(found)} pages instead of {pages}."
        )
        raise StepError("verification_failed", name=step.name, reason=reason)


def first_page(path: Path, step: Context[Any], stem: str = "source") -> list[Output]:
    """Return a small picture of the first page; none when it can't be drawn."""
    with pdf_draw.opened(path, step) as document:
        scale = 2 * EDGE / max(pdf_draw.size_of(document, 0))
        image = pdf_draw.draw(document, 0, scale, pdf_draw.Look())
        return [] if image is None else [preview(image, step, stem)]


def warn_of_signature(pdf: pikepdf.Pdf, name: str, step: Context[Any]) -> None:
    """Say that a changed document's digital signature does not hold."""
    form = pdf.Root.get(pikepdf.Name.AcroForm)
    flags = form.get(pikepdf.Name.SigFlags) if isinstance(form, pikepdf.Dictionary) else None
    if isinstance(flags, int) and flags & 1:
        step.warn(f"“{name}” was signed; the signature does not hold for the result.")
