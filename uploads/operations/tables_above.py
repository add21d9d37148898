"""The lines above a table in a text: titles, remarks, rows of fewer values; it knows no database.

None of them is left out in silence: those that look like rows are listed with the rows that do not
fit, and of the others there is a note.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path
from typing import TextIO

LETTERS = 10_000
LONGEST = 2**20
SHOWN = 60
REMARK = "#"


def lines_above(path: Path, count: int, remark: str = "") -> list[str]:
    """Return the first lines of a text, and those after them that begin with the sign of a remark.

    Each is cut to what is listed of a row.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = list(islice(_lines(file), count))
        if remark:
            begins = (remark, "\n", "\r")
            lines += takewhile(lambda line: line.lstrip(" ").startswith(begins), _lines(file))
    return [line.rstrip("\r\n")[:LETTERS] for line in lines]


def first_rows(path: Path, skip: int, separator: str, count: int) -> list[list[str]]:
    """Return the first rows after some lines, as far as each of them is one line.

    What is no plain CSV gives fewer rows or none.
    """
    rows: list[list[str]] = []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(islice(_lines(file), skip, skip + count), delimiter=separator)
        with suppress(csv.Error):
            for row in reader:
                if reader.line_num > len(rows) + 1:
                    break
                rows.append(row)
    return rows


def _lines(file: TextIO) -> Iterator[str]:
    return iter(lambda: file.readline(LONGEST), "")


def like_rows(lines: Sequence[str], separator: str) -> list[tuple[int, str]]:
    """Return those of the lines that have several values and are no remark, each with its number."""
    return [
        (number, line)
        for number, line in enumerate(lines, start=1)
        if not line.lstrip().startswith(REMARK)
        and len([value for value in _values(line, separator) if value.strip()]) > 1
    ]


def _values(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def note_on(lines: Sequence[str]) -> str:
    """Return what to tell of lines above a table; nothing where none of them says anything."""
    said = [stripped for line in lines if (stripped := line.strip(" \t,;|"))]
    if not said:
        return ""
    shown = said[0] if len(said[0]) <= SHOWN else f"{said[0][: SHOWN - 1]}…"
    if len(said) == 1:
        return f"1 line above the table is left out: “{shown}”."
    return f"{len(said):,} lines above the table are left out: “{shown}” and so on."
