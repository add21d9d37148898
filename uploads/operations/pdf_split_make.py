"""Divides a document with qpdf; imported when there is work."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pikepdf

from uploads.errors import InputError
from uploads.operations import pdf_file, pdf_layers, pdf_marks, pdf_save
from uploads.operations.base import Context, Output
from uploads.operations.page_ranges import parse_pages
from uploads.operations.pdf_marks import Mark, Places
from uploads.operations.titles import name_end

if TYPE_CHECKING:
    from uploads.operations.pdf_split import Split

# Beyond this many files a small picture of each would take longer than the files themselves.
MOST_PREVIEWS = 300


@dataclass(frozen=True)
class Piece:
    """Pages of one file, as places from 0, and what tells its name from the others'."""

    places: range
    label: str


def split(source: Path, step: "Context[Split]") -> Iterator[Output]:
    """Write a file for each piece; raises `InputError` for pages or bookmarks that aren't there."""
    with pdf_file.opened(source, step.name, step, "modify_assembly") as pdf:
        pdf_save.warn_of_signature(pdf, step.name, step)
        dividing = _Dividing(pdf, step)
        with pdf_file.reading(step.name):
            pieces = dividing.pieces()
        for done, piece in enumerate(pieces):
            step.report(done / len(pieces), f"{done} of {len(pieces)} files")
            stem = f"source-{piece.label}"
            target = step.path(f"{stem}.pdf")
            with pdf_file.reading(step.name):
                dividing.write(piece.places, target)
            pdf_save.check(target, len(piece.places), step)
            if dividing.by_size and target.stat().st_size > step.options.max_mb * 1e6:
                size = target.stat().st_size / 1e6
                step.warn(f"Page {piece.label} alone has {size:.1f} MB.")
            pages = {"pages": len(piece.places), "first_page": piece.places[0] + 1}
            yield Output(target, meta=pages)
            if len(pieces) <= MOST_PREVIEWS:
                yield from pdf_save.first_page(target, step, stem)


class _Dividing:
    """One document, its bookmarks, and how it is divided."""

    def __init__(self, pdf: pikepdf.Pdf, step: "Context[Split]") -> None:
        self.pdf = pdf
        self.step = step
        self.by_size = not step.options.ranges.strip() and step.options.by == "size"
        self.pages = list(pdf.pages)
        with pdf_file.reading(step.name):
            self.places = Places(pdf)
            self.marks = pdf_marks.read(pdf, self.places)

    def pieces(self) -> list[Piece]:
        options, count = self.step.options, len(self.pages)
        if wanted := parse_pages(options.ranges, "ranges"):
            found = [self._piece(pages.of(count, self.step.name)) for pages in wanted]
            return list(dict.fromkeys(found))
        if options.by == "bookmarks":
            return self._chapters()
        if self.by_size:
            return [self._piece(places) for places in self._fitting()]
        starts = range(0, count, options.every)
        return [self._piece(range(at, min(count, at + options.every))) for at in starts]

    def _piece(self, places: range) -> Piece:
        digits = len(str(len(self.pages)))
        first, last = (f"{place + 1:0{digits}}" for place in (places[0], places[-1]))
        return Piece(places, first if first == last else f"{first}-{last}")

    def _chapters(self) -> list[Piece]:
        """Return a piece for each bookmark down to the depth; what comes before the first is one too."""
        titles: dict[int, str] = {}
        for mark in _down_to(self.marks, self.step.options.depth):
            if mark.place is not None:
                titles.setdefault(mark.place, mark.title)
        if not titles:
            raise InputError("pdf_no_bookmarks", name=self.step.name)
        titles.setdefault(0, "")
        bounds = [*sorted(titles), len(self.pages)]
        digits = len(str(len(bounds) - 1))
        return [
            Piece(range(begin, end), f"{number:0{digits}}{name_end(titles[begin])}")
            for number, (begin, end) in enumerate(pairwise(bounds), start=1)
        ]

    def _fitting(self) -> Iterator[range]:
        """Yield as many pages as fit into the size each time, found by trying."""
        begin, count = 0, len(self.pages)
        most = self.step.options.max_mb * 1e6
        guess = max(1, int(count * most / max(1, Path(self.pdf.filename).stat().st_size)))
        while begin < count:
            length = self._longest(begin, min(guess, count - begin), most)
            yield range(begin, begin + length)
            self.step.report(0.5 * begin / count, "measuring")
            begin, guess = begin + length, length

    def _longest(self, begin: int, guess: int, most: float) -> int:
        """Return the most pages from one on that fit, at least one."""
        left = len(self.pages) - begin
        fits, too_many = 0, left + 1
        while too_many - fits > 1:
            trial = self.step.path("trial.pdf")
            self.write(range(begin, begin + guess), trial)
            if trial.stat().st_size <= most:
                fits = guess
                guess = min(2 * guess, too_many - 1) if too_many > left else (fits + too_many) // 2
            else:
                too_many = guess
                guess = (fits + too_many) // 2
            trial.unlink()
            guess = max(fits + 1, guess)
        return max(1, fits)

    def write(self, places: range, target: Path) -> None:
        """Write these pages with their links, forms and bookmarks, and nothing else."""
        with pikepdf.new() as made:
            made.add_pages_from(self.pdf, list(places))
            pdf_layers.add(made, self.pdf)
            begin = places[0]
            inside = {
                page: place - begin
                for page, place in self.places.of_page.items()
                if place in places
            }
            copies = list(made.pages)
            pdf_marks.relink([self.pages[place] for place in places], copies, inside)
            made.remove_unreferenced_resources()
            kept = (mark.within(places) for mark in self.marks)
            pdf_marks.write(made, [mark for mark in kept if mark is not None])
            pdf_save.save(made, target)


def _down_to(marks: list[Mark] | tuple[Mark, ...], depth: int) -> Iterator[Mark]:
    for mark in marks:
        yield mark
        if depth > 1:
            yield from _down_to(mark.kids, depth - 1)
