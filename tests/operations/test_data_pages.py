"""Long answers in pages: each row on one of them, in order, and no more of them than is allowed."""

import gzip
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from uploads.operations import Limits, Output

Perform = Callable[..., list[Output]]
LONG = "SELECT n, 'row ' || n AS words FROM range({}) AS r(n)"


def pages(made: Output) -> list[str]:
    """Return the pages that lie in an output: the first as it is, the others unpacked."""
    raw = made.path.read_bytes()
    parts = [raw[begin:end] for begin, end in pairwise([0, *made.meta.get("pages", [len(raw)])])]
    assert sum(map(len, parts)) == len(raw)
    return [
        part.decode() if not at else gzip.decompress(part).decode() for at, part in enumerate(parts)
    ]


def numbers(html: str) -> list[int]:
    """Return what the first column shows."""
    return [int(found) for found in re.findall(r'</th><td class="number">(\d+)</td>', html)]


def ask(perform: Perform, table: Path, count: int, **more: object) -> tuple[Output, Output]:
    answer, page = perform("data.query", table, sql=LONG.format(count), **more)
    return answer, page


def test_every_row_is_on_one_page_in_its_order(table: Path, perform: Perform) -> None:
    _, made = ask(perform, table, 5501)
    found = pages(made)
    assert [len(numbers(page)) for page in found] == [1000] * 5 + [501]
    assert [number for page in found for number in numbers(page)] == list(range(5501))
    assert (made.meta["each"], made.meta["rows"]) == (1000, 5501)
    assert "5,501 rows · 2 columns · rows 5,001 to 5,501" in found[-1]
    assert '<th class="place" scope="row">5,501</th>' in found[-1]
    assert "rows 1 to 1,000" in found[0]


@pytest.mark.parametrize("count", [0, 7, 1000])
def test_a_short_answer_is_a_single_page(count: int, table: Path, perform: Perform) -> None:
    _, made = ask(perform, table, count)
    (page,) = pages(made)
    assert made.meta == {"page": True} and len(numbers(page)) == count


def test_no_more_rows_than_allowed_can_be_paged_through(table: Path, perform: Perform) -> None:
    answer, made = ask(perform, table, 9000, limits=Limits(paged_rows=2500))
    assert [len(numbers(page)) for page in pages(made)] == [1000, 1000, 500]
    assert (answer.meta["rows"], made.meta["rows"]) == (9000, 2500)


def test_without_paging_the_first_rows_are_shown(table: Path, perform: Perform) -> None:
    _, made = ask(perform, table, 9000, limits=Limits(paged_rows=0))
    assert made.meta == {"page": True} and len(numbers(pages(made)[0])) == 1000


def test_a_wide_answer_has_fewer_rows_a_page(table: Path, perform: Perform) -> None:
    wide = ", ".join(f"n + {place} AS c{place}" for place in range(300))
    _, made = perform("data.query", table, sql=f"SELECT {wide} FROM range(8000) AS r(n)")
    found = pages(made)
    assert made.meta["each"] == 300 and made.meta["rows"] == 5000
    assert [len(numbers(page)) for page in found] == [300] * 16 + [200]


def test_what_was_converted_has_pages_too(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "long.csv"
    path.write_text("n,words\n" + "".join(f"{n},row {n}\n" for n in range(2100)))
    made = [o for o in perform("data.convert", path, format="ndjson") if o.role == "preview"]
    assert [number for page in pages(made[0]) for number in numbers(page)] == list(range(2100))
