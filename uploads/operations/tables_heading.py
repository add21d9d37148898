"""Names of columns: which row gives them, and that they differ; it knows no kind of file."""

import re
from collections.abc import Sequence
from itertools import pairwise, takewhile

YEAR = re.compile(r"(?:19|20)\d\d")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
NUMBER = re.compile(r"[\d\s.,+-]*\d")


def titles_above(rows: Sequence[Sequence[str]]) -> int:
    """Return how many of the first rows are titles above the row of names.

    A title is alone in its row, and the row of names is full of texts; fewer than three columns
    do not tell one from the other. What is empty is an empty text.
    """
    filled = [[cell for cell in row if cell.strip()] for row in rows]
    titles = len(list(takewhile(lambda cells: len(cells) < 2, filled)))
    if not titles or titles + 1 >= len(rows) or not any(filled[:titles]):
        return 0
    names, width = filled[titles], max(map(len, rows))
    full = len(names) == width >= 3 and not any(map(NUMBER.fullmatch, names))
    return titles if full and len(filled[titles + 1]) > 1 else 0


def names_times(first: Sequence[str], second: Sequence[str]) -> bool:
    """Tell whether years in equal steps, or days in order, stand beside a text and above other values.

    Such as `country, 2020, 2021` above `Chad, 1.5, 1.7`. What is empty is an empty text.
    """
    for kind in (YEAR, DAY):
        places = [place for place, cell in enumerate(first) if kind.fullmatch(cell)]
        others = [cell for cell in first if not kind.fullmatch(cell)]
        if len(places) < 2 or not others or any(map(NUMBER.fullmatch, others)):
            continue
        below = [cell for cell in second[places[0] : places[-1] + 1] if cell]
        if _in_steps([first[place] for place in places], equal=kind is YEAR) and any(
            not kind.fullmatch(cell) for cell in below
        ):
            return True
    return False


def _in_steps(cells: Sequence[str], *, equal: bool) -> bool:
    if equal:
        steps = {int(after) - int(before) for before, after in pairwise(cells)}
        return len(steps) == 1 and steps != {0}
    return all(a < b for a, b in pairwise(cells)) or all(a > b for a, b in pairwise(cells))


def unique(names: Sequence[str], titled: bool = True) -> list[str]:
    """Return column names that differ, also without regard to case; numbers where nothing is titled."""
    if not titled:
        return [f"column_{place}" for place in range(1, len(names) + 1)]
    taken: set[str] = set()
    made = []
    for wanted in names:
        candidate, count = wanted or "column", 1
        while candidate.casefold() in taken:
            count += 1
            candidate = f"{wanted or 'column'}_{count}"
        taken.add(candidate.casefold())
        made.append(candidate)
    return made
