"""One table as several files: every row in exactly one, in its order; and never too many files."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.conftest import Listener
from uploads.errors import InputError, RequestError
from uploads.operations import Output
from uploads.operations.data_split import SplitTable
from uploads.operations.options import parse_options

Perform = Callable[..., list[Output]]


def pieces(made: list[Output]) -> dict[str, list[list[str]]]:
    found = {}
    for output in made:
        if output.role == "result":
            with output.path.open(newline="", encoding="utf-8") as file:
                found[output.path.name] = list(csv.reader(file))
    return found


def test_so_many_rows_each(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "long.csv"
    path.write_text("n,t\n" + "".join(f"{n},x{n}\n" for n in range(250_000)))
    found = pieces(perform("data.split", path, rows=100_000))
    assert list(found) == ["source-01.csv", "source-02.csv", "source-03.csv"]
    assert all(rows[0] == ["n", "t"] for rows in found.values())
    assert [row[0] for rows in found.values() for row in rows[1:]] == [
        str(n) for n in range(250_000)
    ]
    assert [len(rows) - 1 for rows in found.values()] == [100_000, 100_000, 50_000]


def test_a_file_for_each_value(table: Path, perform: Perform) -> None:
    found = pieces(perform("data.split", table, by="column", column="CITY"))
    assert list(found) == ["source-Berlin.csv", "source-Porto.csv", "source-Lund.csv"]
    for city, rows in zip(("Berlin", "Porto", "Lund"), found.values(), strict=True):
        assert len(rows) == 101 and {row[2] for row in rows[1:]} == {city}
        assert [int(row[0]) for row in rows[1:]] == sorted(int(row[0]) for row in rows[1:])


def test_odd_values_make_names_that_can_be_kept(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "odd.csv"
    path.write_text('who,n\n../up,1\n"a/b",2\na:b,3\n,4\nEMPTY,5\nempty,6\n')
    found = pieces(perform("data.split", path, by="column", column="who"))
    assert len(found) == 6 and all("/" not in name for name in found)
    assert len({name.casefold() for name in found}) == 6
    assert [rows[1] for rows in found.values()] == [
        *(["../up", "1"], ["a/b", "2"], ["a:b", "3"], ["", "4"], ["EMPTY", "5"], ["empty", "6"]),
    ]


def test_too_many_pieces_are_refused_before_any_is_made(
    tmp_path: Path, perform: Perform, table: Path
) -> None:
    path = tmp_path / "many.csv"
    path.write_text("n\n" + "".join(f"{n}\n" for n in range(1002)))
    for options in ({"rows": 2}, {"by": "column", "column": "n"}):
        with pytest.raises(InputError) as caught:
            perform("data.split", path, **options)
        assert caught.value.code == "too_many_pieces" and "at most 500" in caught.value.text
    assert not list(tmp_path.glob("source-*"))


def test_the_column_has_to_be_there(table: Path, perform: Perform) -> None:
    with pytest.raises(InputError) as caught:
        perform("data.split", table, by="column", column="town")
    assert caught.value.text == "“orders.csv” has no column “town”."
    assert "“city”" in caught.value.fix
    with pytest.raises(RequestError) as refused:
        parse_options(SplitTable, {"by": "column"})
    assert refused.value.values["field"] == "column"


def test_one_piece_is_the_whole_table(table: Path, perform: Perform, listener: Listener) -> None:
    found = pieces(perform("data.split", table))
    assert list(found) == ["source-01.csv"] and len(found["source-01.csv"]) == 301
    assert listener.fractions == sorted(listener.fractions)
