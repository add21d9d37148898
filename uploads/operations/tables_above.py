"""The lines above a table in a text: titles, remarks, rows of fewer values; it knows no database.

None of them is left out in silence: those that look like rows are listed with the rows that do not
fit, and of the others there is a note.
"""

from collections.abc import Sequence
from itertools import islice, takewhile
from pathlib import Path

LETTERS = 10_000
SHOWN = 60
REMARK = "#"


def lines_above(path: Path, count: int, remark: str = "") -> list[str]:
    """Return the first lines of a text, and those after them that begin with the sign of a remark.

    Each is cut to what is listed of a row.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        lines = list(islice(file, count))
        if remark:
            lines += takewhile(lambda line: line.lstrip(" ").startswith((remark, "\n")), file)
    return [line.rstrip("\n")[:LETTERS] for line in lines]


def like_rows(lines: Sequence[str], separator: str) -> list[tuple[int, str]]:
    """Return those of the lines that have several values and are no remark, each with its number."""
    return [
        (number, line)
        for number, line in enumerate(lines, start=1)
        if separator in line and not line.lstrip().startswith(REMARK)
    ]


def note_on(lines: Sequence[str]) -> str:
    """Return what to tell of lines above a table; nothing where none of them says anything."""
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        return ""
    shown = first if len(first) <= SHOWN else f"{first[: SHOWN - 1]}…"
    if len(lines) == 1:
        return f"1 line above the table is left out: “{shown}”."
    return f"{len(lines):,} lines above the table are left out: “{shown}” and so on."
