"""Leaves: the pages of a long table, which lie in one file; one is shown at a time."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from uploads.errors import RequestError
from uploads.models import Result
from uploads.pages.asked import asked_result
from uploads.pages.serve import Stretch
from uploads.pages.tiles import tiles
from uploads.storage import store

NEAR = 2


@dataclass(frozen=True)
class Leaf:
    """One page: its number from 1 on, where it lies in the file, the first and last row on it."""

    number: int
    begin: int
    end: int
    first: int
    last: int

    @property
    def words(self) -> str:
        return f"Rows {self.first:,} to {self.last:,}"


def leaves(result: Result) -> list[Leaf]:
    """Return the pages that lie in a result, none where it is a single one.

    An operation has written where they are, and could be wrong about it: such a list is none.
    """
    ends, each, rows = (result.meta.get(name) for name in ("pages", "each", "rows"))
    numbers = [*ends, each, rows] if isinstance(ends, list) else []
    whole = all(type(number) is int and number > 0 for number in numbers)
    if not ends or not numbers or not whole or result.meta.get("page") is not True:
        return []
    begins = [0, *ends[:-1]]
    if sorted({*ends}) != ends or ends[-1] != result.size_bytes:
        return []
    return [
        Leaf(place + 1, begin, end, place * each + 1, min(rows, (place + 1) * each))
        for place, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]


def chosen_leaf(found: list[Leaf], request: HttpRequest) -> Leaf:
    """Return the page that `?page=` asks for, the first one without it; raises `not_found`."""
    asked = request.GET.get("page", "1")
    if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked[:9]) <= len(found):
        raise RequestError("not_found")
    return found[int(asked[:9]) - 1]


def stretch(result: Result, leaf: Leaf) -> Stretch:
    """Return where a page lies in the store."""
    return Stretch(store.path(result.storage_key), leaf.begin, leaf.end - leaf.begin)


@login_required
@require_safe
def rows(request: HttpRequest, key: str) -> HttpResponse:
    """Show the rows of a table page by page, in a frame: they are not ours."""
    result = asked_result(request, key)
    (tile,) = tiles([result])
    if tile.page is None:
        raise RequestError("not_found")
    found = leaves(tile.page)
    leaf = chosen_leaf(found, request) if found else None
    context = {
        "section": "jobs",
        "job": result.job,
        "tile": tile,
        "leaf": leaf,
        "leaves": found,
        "near": _near(found, leaf) if leaf else [],
        "facts": _facts(found, leaf, _rows(result)),
    }
    return render(request, "jobs/rows.html", context)


def _rows(result: Result) -> int | None:
    """Return how many rows its one table has; of several the pages show the first alone."""
    rows = result.meta.get("rows")
    return rows if type(rows) is int and result.meta.get("tables", 1) == 1 else None


def _facts(found: list[Leaf], leaf: Leaf | None, rows: int | None) -> str:
    """Return in words what is shown, and what can only be seen in the file."""
    if rows is None:
        return leaf.words if leaf else ""
    if leaf is None:
        return f"{rows:,} {'row' if rows == 1 else 'rows'}"
    last = found[-1].last
    rest = f" · the first {last:,} can be seen here, all are in the file" if last < rows else ""
    return f"{leaf.words} of {rows:,}{rest}"


def _near(found: list[Leaf], leaf: Leaf) -> list[Any]:
    """Return the pages to be offered: the first, those near this one, the last; None for a gap."""
    shown = {1, len(found), *range(leaf.number - NEAR, leaf.number + NEAR + 1)}
    near: list[Any] = []
    for place in sorted(number for number in shown if 1 <= number <= len(found)):
        if near and near[-1].number + 1 < place:
            near.append(None)
        near.append(found[place - 1])
    return near
