"""Opening a PDF with qpdf (pikepdf): repaired where it can be, refused in words where not.

Imported inside the functions of operations alone; web and worker processes need no qpdf.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pikepdf
import pypdfium2

from uploads.errors import InputError
from uploads.operations.base import Context

HEAD_BYTES = 1024
# How qpdf begins a message: with the file as the step knows it.
OWN_FILE = re.compile(r"^.*?(source|repaired)(-\d+)?(\.pdf)?(?=[ :(])[ :]*")
Deed = Literal["print_lowres", "extract", "modify_assembly", "modify_other"]
DEEDS: dict[Deed, str] = {
    "print_lowres": "drawn",
    "extract": "read out",
    "modify_assembly": "put together with others or taken apart",
    "modify_other": "changed",
}
# What pikepdf raises when a damaged document holds something else than it must.
UNREADABLE = (
    pikepdf.PdfError,
    pikepdf.PikepdfError,
    pikepdf.DataDecodingError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
)


def refuse_other(source: Path, name: str) -> None:
    """Raise `InputError` (`empty_file`, `not_a_pdf`) for what does not begin as a PDF does."""
    with source.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise InputError("empty_file", name=name)
    if b"%PDF-" not in head:
        raise InputError("not_a_pdf", name=name)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Tell what a damaged document makes of pikepdf as `InputError` (`pdf_password`, `pdf_damaged`)."""
    try:
        yield
    except pikepdf.PasswordError as error:
        raise InputError("pdf_password", name=name) from error
    except UNREADABLE as error:
        raise InputError("pdf_damaged", name=name, reason=reason(error)) from error


@contextmanager
def opened(
    source: Path, name: str, step: Context[Any], deed: Deed | None = None
) -> Iterator[pikepdf.Pdf]:
    """Open a document, repaired if need be, which a warning tells.

    Raises `InputError` (`empty_file`, `not_a_pdf`, `pdf_password`, `pdf_damaged`), and
    `pdf_locked` when its author does not allow the deed.
    """
    refuse_other(source, name)
    with reading(name):
        pdf = pikepdf.open(source)
    with pdf:
        with reading(name):
            count = len(pdf.pages)
            allowed = deed is None or pdf.owner_password_matched or getattr(pdf.allow, deed)
            complaints = pdf.get_warnings()
        if not count:
            raise InputError("pdf_damaged", name=name, reason="it has no pages.")
        if deed is not None and not allowed:
            raise InputError("pdf_locked", name=name, deed=DEEDS[deed])
        if complaints:
            step.warn(f"“{name}” is damaged and was repaired; look at the result.")
            step.log(f"{name}: {reason(complaints[0])}")
        yield pdf


def is_sound(source: Path) -> bool:
    """Tell whether a document needs no repair: qpdf complains of nothing and PDFium counts alike."""
    try:
        with pikepdf.open(source) as pdf, pypdfium2.PdfDocument(source) as drawn:
            return len(pdf.pages) == len(drawn) and not [
                *pdf.get_warnings(),
                *pdf.check_pdf_syntax(),
            ]
    except (*UNREADABLE, pypdfium2.PdfiumError):
        return False


def reason(error: object) -> str:
    """Return the first line of an error or complaint, without the path that it begins with."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return OWN_FILE.sub("", lines[0]).strip()[:200].rstrip(".") + "."
