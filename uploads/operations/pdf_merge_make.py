"""Puts documents and pictures together with qpdf; imported when there is work."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pikepdf

from uploads.errors import InputError, remedy, sentence
from uploads.operations import pdf_file, pdf_layers, pdf_marks, pdf_picture, pdf_save, pixels
from uploads.operations.base import Context, Output, Source
from uploads.operations.pdf_growing import Growing
from uploads.operations.pdf_marks import Mark, Places

if TYPE_CHECKING:
    from uploads.operations.pdf_merge import FromImages, Merge

READING = 0.8


def merge(sources: Sequence[Path], step: "Context[Merge]") -> Iterator[Output]:
    """Write one document of all files; raises the `InputError` of a file that can't be part of it."""
    marks: list[Mark] = []
    with Growing(step) as growing:
        for place, (path, source) in enumerate(zip(sources, step.sources, strict=True)):
            step.report(READING * place / len(sources), f"{place} of {len(sources)} files")
            marks.append(_add(growing, path, source, step))
            if step.options.right_hand and place + 1 < len(sources):
                _fill_up(growing.pdf)
            growing.settle()
        if step.options.bookmarks:
            pdf_marks.write(growing.pdf, marks)
        yield from _finish(growing, len(sources), step)


def _add(growing: Growing, path: Path, source: Source, step: "Context[Merge]") -> Mark:
    """Append one file's pages; returns the bookmark that leads to them."""
    begin = len(growing.pdf.pages)
    kids: tuple[Mark, ...] = ()
    if path.stat().st_size and pixels.kind_of(path) is not None:
        sheet = pdf_picture.Sheet(step.options.paper)
        pdf_picture.add_pages(growing, path, source.name, sheet, step)
    else:
        kids = _append(growing, path, source.name, step)
    stem = source.name.rpartition(".")[0] or source.name
    return Mark(stem, begin, (), tuple(pdf_marks.shifted(kid, begin) for kid in kids))


def _append(growing: Growing, path: Path, name: str, step: "Context[Merge]") -> tuple[Mark, ...]:
    begin = len(growing.pdf.pages)
    given = growing.keep(pdf_file.opened(path, name, step, "modify_assembly"))
    pdf_save.warn_of_signature(given, name, step)
    with pdf_file.reading(name):
        places = Places(given)
        growing.pdf.add_pages_from(given)
        made = list(growing.pdf.pages)[begin:]
        pdf_marks.relink(list(given.pages), made, places.of_page)
        pdf_layers.add(growing.pdf, given)
        return tuple(pdf_marks.read(given, places)) if step.options.bookmarks else ()


def _fill_up(pdf: pikepdf.Pdf) -> None:
    """Append an empty page, as large as the last one is seen, after an odd number of pages."""
    if len(pdf.pages) % 2:
        last = pdf.pages[-1]
        left, bottom, right, top = (float(edge) for edge in last.cropbox)
        size = (max(3.0, right - left), max(3.0, top - bottom))
        pdf.add_blank_page(page_size=size[::-1] if _lies(last) else size)


def _lies(page: pikepdf.Page) -> bool:
    """Tell whether a page is shown turned by a quarter."""
    turn = page.obj.get(pikepdf.Name.Rotate, 0)
    return isinstance(turn, int) and turn % 180 == 90


def from_images(sources: Sequence[Path], step: "Context[FromImages]") -> Iterator[Output]:
    """Write one document with a page for each picture.

    One that can't be read is left out with a warning; raises its `InputError` when none can.
    """
    options = step.options
    margin = options.margin * pdf_picture.POINTS_PER_MILLIMETRE
    sheet = pdf_picture.Sheet(options.paper, margin, options.turn_paper)
    first_error: InputError | None = None
    added = 0
    with Growing(step) as growing:
        for place, (path, source) in enumerate(zip(sources, step.sources, strict=True)):
            step.report(READING * place / len(sources), f"{place} of {len(sources)} pictures")
            try:
                pdf_picture.add_pages(growing, path, source.name, sheet, step)
                added += 1
            except InputError as error:
                said = f"{sentence(error.code, error.values)} {remedy(error.code, error.values)}"
                step.warn(f"Left out: {said}")
                first_error = first_error or error
            growing.settle()
        if first_error is not None and not len(growing.pdf.pages):
            raise first_error
        yield from _finish(growing, added, step)


def _finish(growing: Growing, files: int, step: Context[Any]) -> Iterator[Output]:
    """Write the result, read it back and show its first page."""
    pages, target = len(growing.pdf.pages), step.path("source.pdf")
    step.report(READING, "writing")
    pdf_save.save(growing.pdf, target)
    step.report(0.95, "checking")
    pdf_save.check(target, pages, step)
    yield Output(target, meta={"pages": pages, "files": files})
    yield from pdf_save.first_page(target, step)
