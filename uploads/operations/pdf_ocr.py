"""The operation `pdf.ocr`: scans and photographs of pages become documents with text; knows no engine."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations import ocr_data
from uploads.operations.base import Context, Output, Part, PartResult, Preset, operation
from uploads.operations.image import ACCEPTED
from uploads.operations.options import option
from uploads.operations.page_ranges import parse_pages
from uploads.operations.pdf_pages import PDF
from uploads.operations.times import refuse

LANGUAGES = re.compile(r"[A-Za-z]{3}[A-Za-z_]*(\+[A-Za-z]{3}[A-Za-z_]*){0,7}")


@dataclass(frozen=True)
class Recognise:
    """What is read, in which languages, and what becomes of it."""

    languages: str = option(
        "eng",
        "Three letters each (ISO 639-2), such as eng, or deu+eng for pages in both.",
        label="Languages of the text",
        max_length=80,
        main=True,
    )
    result: Literal["pdf", "text", "both"] = option(
        "pdf",
        "In the PDF the text lies unseen under the picture, where it can be searched and copied.",
        choices={
            "pdf": "PDF that can be searched",
            "text": "Plain text",
            "both": "Both",
        },
    )
    pages: str = option(
        "",
        "Such as 1-3, 7, 10-; empty for all. The others stay as they are.",
        label="Which pages?",
        max_length=400,
    )
    turn: bool = option(
        default=True,
        label="Turn pages upright",
        help="Pages that lie on their side or stand on their head.",
    )
    with_text: Literal["leave", "pictures"] = option(
        "leave",
        "What was not scanned, or recognised before, has its text.",
        label="Pages that have text already",
        choices={
            "leave": "Leave them as they are",
            "pictures": "Read the pictures on them as well",
        },
    )

    def __post_init__(self) -> None:
        parse_pages(self.pages, "pages")
        if not LANGUAGES.fullmatch(self.languages):
            raise refuse("write languages like eng or deu+eng.", "languages")


PRESETS = (
    Preset("pdf", "PDF that can be searched", "Looks as before; its text can be found and copied.", {}),
    Preset("text", "Plain text", "One text file for each document.", {"result": "text"}),
    Preset(
        "both", "PDF and plain text", "The document with its text, and the text by itself.",
        {"result": "both"},
    ),
)  # fmt: skip


@operation(
    "pdf.ocr",
    label="Recognise text (OCR)",
    accepts=[PDF, *ACCEPTED],
    options=Recognise,
    version=2,
    presets=PRESETS,
    lacks=ocr_data.lacks,
    seconds=lambda size: 1.0 + size / 0.2e6,
    needs_memory=lambda size: 640 * 1024**2,
    needs_disk=lambda size: 64 * 1024**2 + 3 * size,
)
def recognise(source: Path, step: Context[Recognise]) -> Iterator[Output]:
    """Find the text in scans and photographs of pages; long documents on all workers at once."""
    from uploads.operations import pdf_ocr_make

    if step.part is not None:
        yield from pdf_ocr_make.read(source, step, step.part)
        return
    done: list[PartResult] = []
    for part in pdf_ocr_make.plan(source, step):
        made = list(pdf_ocr_make.read(source, step, part.params))
        done.append(PartResult(part.params, [m.path for m in made], [m.meta for m in made]))
    yield from pdf_ocr_make.join(source, step, done)


@recognise.plan
def plan(source: Path, step: Context[Recognise]) -> Sequence[Part]:
    """Put pages together into parts of some seconds of work each; those with text need none."""
    from uploads.operations import pdf_ocr_make

    return pdf_ocr_make.plan(source, step)


@recognise.join
def join(source: Path, step: Context[Recognise], parts: Sequence[PartResult]) -> Iterator[Output]:
    """Lay the text of all parts under their pages, and write it down."""
    from uploads.operations import pdf_ocr_make

    yield from pdf_ocr_make.join(source, step, parts)
