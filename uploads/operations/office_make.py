"""Lets LibreOffice print a document into a PDF, in the step's folder, without macros or network."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pikepdf

from uploads.errors import InputError, StepError
from uploads.operations import office, office_print, pdf_file, pdf_save
from uploads.operations.base import Context, Output
from uploads.operations.surroundings import environment

if TYPE_CHECKING:
    from uploads.operations.office import ToPdf

LOOK_SECONDS = 0.2
# The environment's own packages are not for it, and what describes them can't be read by it.
PRINTER = (sys.executable, "-I", "-S", office_print.__file__)
# LibreOffice's help, "PDF Export Command Line Parameters".
PDF_A_2 = 2
# What LibreOffice makes of the time; the document gets a new number from its content.
TIMED = (("docinfo", "/CreationDate"), ("trailer", "/DocChecksum"), ("trailer", "/ID"))
# Packed by ZIP, in the compound files of old, and as text: LibreOffice would print anything as text.
HEADS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf")


def make(source: Path, step: "Context[ToPdf]") -> Iterator[Output]:
    """Write one PDF; raises `InputError` (`empty_file`, `office_unreadable`) for what can't be opened."""
    if not source.stat().st_size:
        raise InputError("empty_file", name=step.name)
    with source.open("rb") as file:
        if not file.read(8).startswith(HEADS):
            raise InputError("office_unreadable", name=step.name)
    if step.media_type in office.SHEETS and not office.prints_sheets():
        reason = "LibreOffice is here without its windows (-nogui), which it needs for tables."
        raise StepError("operation_lacks", operation=office.to_pdf.label, reason=reason)
    step.report(0.05, "opening it")
    profile, made = step.path("profile"), step.path("source.pdf")
    profile.mkdir()
    try:
        done, told = _run(_command(source, profile, made, step), profile, step)
    finally:
        shutil.rmtree(profile, ignore_errors=True)
    if not done or not made.exists():
        step.log(f"LibreOffice: {told[-300:].strip() or 'no word'}")
        raise InputError("office_unreadable", name=step.name)
    step.report(0.9, "looking at the result")
    pages = _timeless(made, step)
    pdf_save.check(made, pages, step)
    yield Output(made, meta={"pages": pages})
    yield from pdf_save.first_page(made, step)


def _command(source: Path, profile: Path, made: Path, step: "Context[ToPdf]") -> list[str]:
    program = office.program()
    assert program is not None
    chosen: dict[str, Any] = {}
    if step.options.archive:
        chosen["SelectPdfVersion"] = {"type": "long", "value": str(PDF_A_2)}
    if step.options.whole_sheets and step.media_type in office.SHEETS:
        chosen["SinglePageSheets"] = {"type": "boolean", "value": "true"}
    places = [path.absolute().as_uri() for path in (profile, source, made)]
    return [*PRINTER, str(program), *places, json.dumps(chosen)]


def _run(command: list[str], profile: Path, step: "Context[ToPdf]") -> tuple[bool, str]:
    """Run the printer to its end; returns whether it was content, and what it said.

    `step.report` ends it when it is unwanted. A document that crashes it is one that can't be opened.
    """
    how: dict[str, Any] = {"stdin": subprocess.DEVNULL, "env": environment(profile), "cwd": profile}
    with (
        (profile / "said.txt").open("w+b") as said,
        subprocess.Popen(command, stdout=said, stderr=said, **how) as running,
    ):
        try:
            while running.poll() is None:
                step.report(0.1, "LibreOffice is at work")
                try:
                    running.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            running.kill()
            raise
        said.seek(0)
        return running.returncode == 0, said.read().decode(errors="replace")


def _timeless(made: Path, step: "Context[ToPdf]") -> int:
    """Take the time of printing out, so that the same file makes the same bytes; returns the pages."""
    try:
        with pikepdf.open(made, allow_overwriting_input=True) as pdf:
            for holder, key in TIMED:
                if key in (place := getattr(pdf, holder)):
                    del place[key]
            with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as told:
                if "xmp:CreateDate" in told:
                    del told["xmp:CreateDate"]
            pdf_save.save(pdf, made)
            return len(pdf.pages)
    except pdf_file.UNREADABLE as error:
        reason = pdf_file.reason(error)
        raise StepError("verification_failed", name=step.name, reason=reason) from error
