"""What is told of tables: counts against known ones, what looks odd, a page that is safe."""

import json
import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.operations.conftest import Listener
from uploads.operations import Output
from uploads.operations.profiling import figure

Perform = Callable[..., list[Output]]


def told(made: list[Output]) -> dict[str, Any]:
    """Return the one table of a profile's JSON, its columns by name."""
    (report,) = [output for output in made if output.path.suffix == ".json"]
    (found,) = json.loads(report.path.read_text())["tables"]
    return {**found, "columns": {column["name"]: column for column in found["columns"]}}


@pytest.fixture
def look(tmp_path: Path, perform: Perform) -> Callable[..., dict[str, Any]]:
    """Profile a CSV of these lines and return what is told of it."""

    def made(*lines: str, **options: Any) -> dict[str, Any]:
        path = tmp_path / "some.csv"
        path.write_text("\n".join(lines) + "\n")
        return told(perform("data.profile", path, **options))

    return made


def test_counts_are_right(table: Path, perform: Perform) -> None:
    found = told(perform("data.profile", table))
    columns = found["columns"]
    assert found["rows"] == 300
    assert columns["amount"]["missing"] == math.ceil(300 / 11)
    assert (columns["city"]["distinct"], columns["city"]["distinct_is_exact"]) == (3, True)
    assert columns["city"]["frequent"][0] == {"value": "Berlin", "rows": 100}
    assert (columns["day"]["least"], columns["day"]["most"]) == ("2024-01-05", "2024-12-05")


def test_numbers_are_measured(look: Callable[..., dict[str, Any]]) -> None:
    x = look("x,y", *(f"{number},a" for number in range(1001)))["columns"]["x"]
    assert (x["least_number"], x["mean"], x["most_number"]) == (0, 500, 1000)
    assert x["quantiles"]["0.25"] == 250
    assert sum(x["histogram"]["rows"]) == 1001
    assert max(x["histogram"]["rows"]) - min(x["histogram"]["rows"]) <= 8


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["a,b", "1,", "2,"], "“b” is empty in every row."),
        (["a,b", "1,x", "2,x"], "“b” has the same value in every row: “x”."),
        (["a,b", *["1,"] * 9, "1,x"], "“b” is empty in 90 % of the rows."),
        (["a,b", "1, x", "2,y"], "1 value of “b” has spaces around."),
        (["a,b", "1,Lund", "2,LUND", "3,x"], "“b” writes the same in several ways: “LUND” and “Lund”."),
        (
            ["a,b", *[f"{n},{n}" for n in range(9)], "9,n/a"],
            "“b” is text, but 90 % of its values are numbers; not so: “n/a”.",
        ),
        (
            ["a,b", *[f"{n},{n + 1:02}.05.2024" for n in range(9)], "9,soon"],
            "“b” is text, but 90 % of its values are days; not so: “soon”.",
        ),
        (
            ["id,b", *[f"{n},x{n}" for n in range(20)], "3,y"],
            "“id” looks like a key, but 1 value occurs more than once: “3” 2 times.",
        ),
        (
            ["a,b", *[f"{n % 50},{n}" for n in range(999)], "100000,1"],
            "“a” has values far from the others: most are between 2 and 47, but one is 100,000.",
        ),
        (
            ["d,b", "1970-01-01,1", "2024-03-04,2"],
            "“d” is 1970-01-01 in 1 row, which often means none.",
        ),
    ],
)  # fmt: skip
def test_what_is_odd_is_said(
    lines: list[str], said: str, look: Callable[..., dict[str, Any]]
) -> None:
    assert said in look(*lines)["odd"]


def test_nothing_odd_is_said_of_a_sound_table(look: Callable[..., dict[str, Any]]) -> None:
    lines = [
        f"{n},2024-05-{n % 28 + 1:02},{['north', 'south', 'west'][n % 3]},{n % 17}.5"
        for n in range(200)
    ]
    assert look("id,day,area,amount", *lines)["odd"] == []


def test_an_empty_table_has_a_profile(look: Callable[..., dict[str, Any]]) -> None:
    found = look("a,b")
    assert (found["rows"], list(found["columns"])) == (0, ["a", "b"])


def test_values_that_are_no_numbers_do_not_spoil_the_rest(
    look: Callable[..., dict[str, Any]],
) -> None:
    x = look("x", "1.5", "nan", "inf", "2.5")["columns"]["x"]
    assert (x["least_number"], x["most_number"], x["not_finite"]) == (1.5, 2.5, 2)


class Markup(HTMLParser):
    """Counts elements and attributes, and finds those that are left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in {"meta", "!doctype"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_runs_nothing(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "<script>.csv"
    path.write_text("<script>x</script>,b\n" + '"<img src=x onerror=y>",2\n' * 5)
    made = perform("data.profile", path)
    markup = Markup(made[0].path.read_text())
    assert markup.open == []
    assert not markup.tags & {"script", "img", "link", "iframe", "form"}
    assert not {name for name in markup.attributes if name.startswith("on")}
    assert "src" not in markup.attributes


def test_each_sheet_has_its_part(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "two.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for called in ("North", "South"):
            sheet = book.add_worksheet(called)
            sheet.write_row(0, 0, ["city", "people"])
            sheet.write_row(1, 0, [called, 5])
    page, report = perform("data.profile", path)
    assert [part["name"] for part in json.loads(report.path.read_text())["tables"]] == [
        "North",
        "South",
    ]
    assert page.meta["rows"] == 2
    assert page.meta["page"] is True


def test_nested_values_and_long_texts_have_a_profile(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "nested.ndjson"
    path.write_text('{"a": {"b": [1, 2]}, "t": "%s", "f": true}\n' % ("x" * 50_000) * 3)
    found = told(perform("data.profile", path))["columns"]
    assert found["a"]["values"] == 3
    assert (found["t"]["longest"], len(found["t"]["least"])) == (50_000, 120)
    assert found["f"]["yes"] == 3


def test_a_large_table_is_looked_at_by_a_sample_and_always_the_same(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    path = tmp_path / "large.csv"
    path.write_text("n,m\n" + "".join(f"{n},{n % 7}\n" for n in range(450_000)))
    found = told(perform("data.profile", path))
    assert found["columns"]["n"]["quantiles"]["0.5"] == pytest.approx(225_000, rel=0.01)
    assert sum(found["columns"]["m"]["histogram"]["rows"]) == pytest.approx(450_000, rel=0.01)
    assert found["columns"]["n"]["distinct_is_exact"] is False
    assert listener.fractions == sorted(listener.fractions)
    assert told(perform("data.profile", path)) == found


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (12, "12"),
        (-1234567, "-1,234,567"),
        (1234.56, "1,234.6"),
        (0.000012345, "1.234e-05"),
    ],
)
def test_figures_are_short(value: float, shown: str) -> None:
    assert figure(value) == shown
