"""Reads the text of pages with PDFium; one page in memory at a time, imported when there is work."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pypdfium2

from uploads.errors import InputError
from uploads.operations import page_ranges, pdf_draw
from uploads.operations.base import Context, Json, Output

if TYPE_CHECKING:
    from uploads.operations.pdf_text import Text

SUFFIXES = {"text": ".txt", "json": ".json"}


def make(source: Path, step: "Context[Text]") -> Iterator[Output]:
    """Write one file; raises `InputError` (`pdf_no_text`) when no page asked for has any text."""
    options = step.options
    target = step.path("source" + SUFFIXES[options.format])
    with pdf_draw.opened(source, step, pdf_draw.EXTRACTING) as document:
        count = len(document)
        wanted = page_ranges.chosen(options.pages, count, step.name)
        with target.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            bare, characters = _write(document, wanted, file, step)
        if len(bare) == len(wanted):
            raise InputError("pdf_no_text", name=step.name, count=len(wanted))
    if bare:
        step.warn(
            f"No text on {page_ranges.listed(bare)}: empty, or pictures of text, such as scans, which only "
            "text recognition (OCR) can read."
        )
    yield Output(target, meta={"pages": len(wanted), "characters": characters})


def _write(
    document: pypdfium2.PdfDocument, wanted: list[int], file: TextIO, step: "Context[Text]"
) -> tuple[list[int], int]:
    """Write every page; returns the numbers of those without text, and all characters."""
    as_json = step.options.format == "json"
    bare, characters = [], 0
    if as_json:
        file.write(f'{{"name": {json.dumps(step.name, ensure_ascii=False)}, "pages": [\n')
    for done, place in enumerate(wanted):
        step.report(done / len(wanted), f"page {place + 1} of {len(document)}")
        found = _page(document, place, lines=as_json)
        if found is None:
            step.warn(f"The text of page {place + 1} can't be read: left out.")
        text = found["text"] if found else ""
        bare += [] if text.strip() else [place + 1]
        characters += len(text)
        if as_json:
            file.write(",\n" if done else "")
            json.dump({"page": place + 1, **(found or {"text": ""})}, file, ensure_ascii=False)
        else:
            file.write(_framed(text, place, done, step.options.breaks))
    file.write("\n]}\n" if as_json else "")
    return bare, characters


def _framed(text: str, place: int, done: int, breaks: str) -> str:
    text = text.rstrip("\n") + "\n"
    if breaks == "line":
        return ("\n" if done else "") + f"— {place + 1} —\n\n{text}"
    if breaks == "none":
        return ("\n" if done else "") + text
    return f"{text}\f"


def _page(document: pypdfium2.PdfDocument, place: int, *, lines: bool) -> Json | None:
    """Return the text of one page, with the place of each line if that is wanted."""
    try:
        page = document[place]
        try:
            read = page.get_textpage()
            found: Json = {"text": pdf_draw.plain(read.get_text_range())}
            if lines:
                width, height = page.get_size()
                found |= {"width": round(width, 2), "height": round(height, 2)}
                found["lines"] = [*_lines(read)]
            return found
        finally:
            page.close()
    except (pypdfium2.PdfiumError, ValueError):
        return None


def _lines(read: Any) -> Iterator[Json]:
    """Yield the stretches of text that stand in one line: left, bottom, right, top in points."""
    for number in range(read.count_rects()):
        box = read.get_rect(number)
        text = pdf_draw.plain(read.get_text_bounded(*box)).strip()
        if text:
            yield {"text": text, "box": [round(edge, 2) for edge in box]}
