"""Charts of answers: bars of names, lines over time, and none where a picture says nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from uploads.operations import Output

Perform = Callable[..., list[Output]]


@pytest.fixture
def page(perform: Perform, table: Path) -> Callable[[str], str]:
    """Return the page of a question to the orders of a shop."""

    def ask(sql: str) -> str:
        made = perform("data.query", table, sql=sql)
        preview = next(output for output in made if output.meta.get("page"))
        first = preview.meta.get("pages", [None])[0]  # further pages lie behind it, packed
        return preview.path.read_bytes()[:first].decode()

    return ask


def test_names_are_bars_as_long_as_their_numbers(page: Callable[[str], str]) -> None:
    html = page("SELECT city, count(*) AS orders FROM data GROUP BY 1 ORDER BY city")
    widths = [float(found) for found in re.findall(r'<rect x="0.0" width="([\d.]+)"', html)]
    assert widths == [1000.0, 1000.0, 1000.0]
    assert html.count("<figure") == 1 and "orders <span>by city</span>" in html
    html = page("SELECT * FROM (VALUES ('a', 50), ('b', 100), ('c', -100)) t(name, n)")
    bars = re.findall(r'<rect x="([\d.]+)" width="([\d.]+)"', html)
    assert bars == [("500.0", "250.0"), ("500.0", "500.0"), ("0.0", "500.0")]


def test_days_are_a_line_at_their_distance(page: Callable[[str], str]) -> None:
    html = page(
        "SELECT * FROM (VALUES (DATE '2024-01-01', 0), (DATE '2024-01-02', 10), (DATE '2024-01-11', 20)) t(day, n)"
    )
    path = re.findall(r'<path d="([^"]+)"', html)[0]
    assert path == "M0.0 240.0 L100.0 120.0 L1000.0 0.0"
    assert "from 0 at 2024-01-01 to 20 at 2024-01-11" in html


def test_each_column_of_numbers_has_a_chart(page: Callable[[str], str]) -> None:
    html = page(
        "SELECT city, sum(amount) AS s, avg(amount) AS a, min(note) AS n FROM data GROUP BY 1"
    )
    assert html.count("<figure") == 2


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS one FROM data",
        "SELECT city, note FROM data LIMIT 5",
        "SELECT city, 1 AS n FROM data LIMIT 1",
        "SELECT note, 1 AS n FROM data",  # three hundred bars
        "SELECT i, i FROM range(5000) t(i)",  # not all of it is on the page
        "SELECT city, NULL::INT AS n FROM data LIMIT 5",
        "SELECT city, 'nan'::DOUBLE AS n FROM data LIMIT 5",
    ],
)
def test_where_a_picture_says_nothing_there_is_none(page: Callable[[str], str], sql: str) -> None:
    assert "<figure" not in page(sql)


def test_odd_values_are_drawn_without_harm(page: Callable[[str], str]) -> None:
    html = page(
        'SELECT * FROM (VALUES (\'<b>&"x\', 1e300), (NULL, 0), (\'same\', 0)) t("<i>", "n&")'
    )
    assert "<b>&" not in html.replace("<b>1", "").replace("<b>0", "")
    assert "&lt;i&gt;" in html and "n&amp;" in html
    flat = page("SELECT i, 5 AS n FROM range(3) t(i)")
    assert flat.count("<figure") == 1
