"""Cells of sheets and databases: whatever is in them comes out as it was."""

import csv
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from uploads.operations import Output

Perform = Callable[..., list[Output]]


def database(path: Path, columns: str, *rows: Sequence[Any]) -> Path:
    """Make a database with one table of these rows."""
    with sqlite3.connect(path) as made:
        made.execute(f"CREATE TABLE t ({columns})")
        made.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(rows[0]))})", rows)
    made.close()
    return path


def listed(made: list[Output]) -> list[list[str]]:
    with made[0].path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_the_first_text_may_have_line_ends(end: str, perform: Perform, tmp_path: Path) -> None:
    path = database(tmp_path / "notes.sqlite", "note, n", (f"one{end}two", 1), ("three", 2))
    made = perform("data.convert", path, format="csv")
    assert listed(made) == [["note", "n"], [f"one{end}two", "1"], ["three", "2"]]


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_a_name_of_a_column_may_have_line_ends(end: str, perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "titled.csv"
    path.write_bytes(f'"one{end}two",n\na,1\n'.encode())
    made = perform("data.convert", path, format="csv")
    assert listed(made) == [[f"one{end}two", "n"], ["a", "1"]]


def test_long_whole_numbers_beside_decimals_keep_their_digits(
    perform: Perform, tmp_path: Path
) -> None:
    path = database(tmp_path / "mixed.sqlite", "a", (9007199254740993,), (0.5,))
    assert listed(perform("data.convert", path, format="csv"))[1:] == [
        ["9007199254740993"],
        ["0.5"],
    ]


def test_a_column_may_be_called_as_sqlites_row_numbers(perform: Perform, tmp_path: Path) -> None:
    path = database(tmp_path / "rows.sqlite", "rowid TEXT, n", ("a", 1), ("b", 2))
    made = perform("data.convert", path, format="csv")
    assert listed(made) == [["rowid", "n"], ["a", "1"], ["b", "2"]]
