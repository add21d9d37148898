"""Pages as people write them: "1-3, 7, 10-" becomes ranges of page numbers; knows no documents."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from uploads.errors import InputError
from uploads.operations.times import refuse

MOST_RANGES = 200
LARGEST = 1_000_000
# So many ranges are named in a sentence; the rest is counted.
LISTED = 12
RANGE = re.compile(r"([0-9]*)\s*(?:(-|–|—|\.\.|\bto\b)\s*([0-9]*))?")
EXAMPLE = "write it like 1-3, 7, 10-"


@dataclass(frozen=True)
class Pages:
    """Page numbers from 1, both inclusive; a `last` of None is the document's own."""

    first: int
    last: int | None

    def of(self, count: int, name: str) -> range:
        """Return the places from 0 in a document of so many pages; what is beyond its end is cut.

        Raises `InputError` (`pdf_no_page`) when it has none of them.
        """
        if self.first > count:
            raise InputError("pdf_no_page", name=name, count=count, page=self.first)
        return range(self.first - 1, min(count, self.last or count))

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-{self.last or ''}"


def parse_pages(text: str, field: str) -> list[Pages]:
    """Read "1-3, 7, 10-"; raises `RequestError` (`invalid_options`) with the range in words."""
    written = [piece.strip() for piece in re.split(r"[,;]", text) if piece.strip()]
    if len(written) > MOST_RANGES:
        raise refuse(f"at most {MOST_RANGES} ranges are possible.", field)
    return [_range(piece, field) for piece in written]


def chosen(text: str, count: int, name: str) -> list[int]:
    """Return the places from 0 of the pages that a checked text names, each once, as written.

    An empty text names all. Raises `InputError` (`pdf_no_page`) for a page beyond the end.
    """
    wanted = parse_pages(text, "pages") or [Pages(1, None)]
    return list(dict.fromkeys(place for pages in wanted for place in pages.of(count, name)))


def _range(text: str, field: str) -> Pages:
    found = RANGE.fullmatch(text)
    first, dash, last = found.groups() if found else (None, None, None)
    if not first and not last:
        raise refuse(f"“{text}” is no page or range of pages; {EXAMPLE}.", field)
    begin = _number(first, text, field) if first else 1
    if not dash:
        return Pages(begin, begin)
    end = _number(last, text, field) if last else None
    if end is not None and end < begin:
        raise refuse(f"“{text}” ends before it starts.", field)
    return Pages(begin, end)


def _number(digits: str, text: str, field: str) -> int:
    if len(digits) > len(str(LARGEST)) or not 1 <= int(digits) <= LARGEST:
        raise refuse(f"in “{text}” there is no page {digits[:12]}; pages count from 1.", field)
    return int(digits)


def spread(places: Sequence[int], most: int) -> list[int]:
    """Return some of many pages, at least two, from the first to the last."""
    if len(places) <= most:
        return list(places)
    return [places[round(n * (len(places) - 1) / (most - 1))] for n in range(most)]


def listed(numbers: list[int]) -> str:
    """Return "page 3" or "pages 3, 5-9 and 20 more"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [f"{a}" if a == b else f"{a}-{b}" for a, b in ranges[:LISTED]]
    rest = sum(b - a + 1 for a, b in ranges[LISTED:])
    words = ", ".join(shown) + (f" and {rest} more" if rest else "")
    return f"page {words}" if len(numbers) == 1 else f"pages {words}"
