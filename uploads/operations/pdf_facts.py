"""What a PDF says of itself: pages, their sizes, version, title, whether it is locked."""

from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Name

from uploads.errors import InputError
from uploads.operations import pdf_draw, pdf_file, pdf_save
from uploads.operations.base import Context, Json, Output

MILLIMETRES_PER_POINT = 25.4 / 72
SIZES_LISTED = 5
TEXT_CHARACTERS = 300


def facts(source: Path, step: Context[Any]) -> Json:
    """Return the facts of one document; one that needs a password says only that."""
    pdf_file.refuse_other(source, step.name)
    found: Json = {"kind": "document", "format": "pdf"}
    try:
        with pdf_file.opened(source, step.name, step) as pdf, pdf_file.reading(step.name):
            found |= _document(pdf)
        with pdf_draw.opened(source, step) as document:
            found |= _sizes(document)
    except InputError as error:
        if error.code != "pdf_password":
            raise
        step.warn("It opens with a password only; nothing else can be told.")
        found |= {"encrypted": True, "needs_password": True}
    return found


def _document(pdf: pikepdf.Pdf) -> Json:
    title = pdf.docinfo.get(Name.Title) if Name.Info in pdf.trailer else None
    form = pdf.Root.get(Name.AcroForm)
    told: Json = {
        "pages": len(pdf.pages),
        "version": pdf.pdf_version,
        "title": str(title)[:TEXT_CHARACTERS] if title is not None else "",
        "encrypted": pdf.is_encrypted,
        "needs_password": False,
        "linearized": pdf.is_linearized,
        "form": isinstance(form, pikepdf.Dictionary) and bool(form.get(Name.Fields)),
        "attachments": len(pdf.attachments),
    }
    if pdf.is_encrypted and not pdf.owner_password_matched:
        told["forbidden"] = [
            words for deed, words in pdf_file.DEEDS.items() if not getattr(pdf.allow, deed)
        ]
    return told


def _sizes(document: Any) -> Json:
    """Return the first page's size in millimetres, and the sizes there are with their pages."""
    counted: dict[str, int] = {}
    for place in range(len(document)):
        edges = (edge * MILLIMETRES_PER_POINT for edge in pdf_draw.size_of(document, place))
        size = " × ".join(f"{edge:.0f}" for edge in edges) + " mm"
        counted[size] = counted.get(size, 0) + 1
    usual = sorted(counted.items(), key=lambda entry: -entry[1])[:SIZES_LISTED]
    return {"page_size": usual[0][0], "page_sizes": dict(usual)}


def first_page(source: Path, step: Context[Any]) -> list[Output]:
    """Return a small picture of the first page of a document that opens."""
    try:
        return pdf_save.first_page(source, step)
    except InputError:
        return []
