"""Tables of several files as one: columns by name, types that hold every value, where rows are from."""

import csv
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.operations.conftest import Listener, Told
from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]
Texts = Callable[..., list[Path]]


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    """Write CSV files: `texts(a="x,y\\n1,2\\n")`."""

    def make(**contents: str) -> list[Path]:
        paths = []
        for name, content in contents.items():
            path = tmp_path / f"{name}.csv"
            path.write_text(content)
            paths.append(path)
        return paths

    return make


def rows(made: list[Output]) -> list[list[str]]:
    with made[0].path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def types(made: list[Output]) -> dict[str, str]:
    found = duckdb.sql(f"DESCRIBE FROM read_parquet('{made[0].path}')").fetchall()
    return {row[0]: row[1] for row in found}


def test_columns_meet_by_name_whatever_their_order(texts: Texts, perform: Perform) -> None:
    paths = texts(a="id,city\n1,Lund\n2,Porto\n", b="CITY,note,id\nLyon,new,3\n")
    made = perform("data.merge", *paths)
    assert rows(made) == [
        ["id", "city", "note"],
        ["1", "Lund", ""],
        ["2", "Porto", ""],
        ["3", "Lyon", "new"],
    ]
    assert (made[0].path.name, made[0].meta["rows"]) == ("merged.csv", 3)
    assert made[1].role == "preview"


def test_only_common_columns_or_the_same_in_all(
    texts: Texts, perform: Perform, listener: Listener
) -> None:
    paths = texts(a="id,city\n1,Lund\n", b="id,note\n2,x\n")
    assert rows(perform("data.merge", *paths, columns="common")) == [["id"], ["1"], ["2"]]
    assert "left out: “city”, “note”" in listener.infos[-1]
    with pytest.raises(InputError) as caught:
        perform("data.merge", *paths, columns="same")
    assert caught.value.text == "“b.csv” has no column “city”."
    assert caught.value.fix == "There are “id”, “note”."
    with pytest.raises(InputError):
        perform("data.merge", *texts(c="x\n1\n", d="y\n1\n"), columns="common")


def test_numbers_stay_numbers_and_what_differs_becomes_text(
    texts: Texts, perform: Perform, listener: Listener
) -> None:
    paths = texts(
        a="n,amount,big,day\n1,3,9007199254740993,2024-01-05\n",
        b="n,amount,big,day\n300000,3.5,0.5,tomorrow\n",
    )
    made = perform("data.merge", *paths, format="parquet")
    assert types(made) == {"n": "BIGINT", "amount": "DOUBLE", "big": "VARCHAR", "day": "VARCHAR"}
    held = duckdb.sql(f"FROM read_parquet('{made[0].path}')").fetchall()
    assert held == [(1, 3.0, "9007199254740993", "2024-01-05"), (300000, 3.5, "0.5", "tomorrow")]
    assert [line.partition(" is text")[0] for line in listener.warnings] == [
        "Column “big”",
        "Column “day”",
    ]
    assert "day in a.csv, text in b.csv" in listener.warnings[1]


def test_a_column_says_where_from_and_equal_rows_are_dropped(
    texts: Texts, perform: Perform
) -> None:
    paths = texts(a="id,file\n2,x\n1,y\n2,x\n", b="id,file\n1,y\n3,z\n")
    made = perform("data.merge", *paths, origin=True, duplicates="drop")
    assert rows(made) == [
        ["id", "file", "file_2"],
        *(["2", "x", "a.csv"], ["1", "y", "a.csv"], ["3", "z", "b.csv"]),
    ]


def test_all_sheets_of_a_workbook_come_along(tmp_path: Path, perform: Perform) -> None:
    import xlsxwriter

    path = tmp_path / "shop.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for sheet, value in (("May", 5), ("June", 6)):
            book.add_worksheet(sheet).write_column(0, 0, ["n", value])
    made = perform("data.merge", path, origin=True)
    assert rows(made) == [["n", "file"], ["5", "shop.xlsx: May"], ["6", "shop.xlsx: June"]]


def test_many_rows_keep_their_order(tmp_path: Path, perform: Perform) -> None:
    paths = [tmp_path / f"{place}.csv" for place in range(3)]
    for place, path in enumerate(paths):
        path.write_text("n\n" + "".join(f"{place * 100_000 + n}\n" for n in range(100_000)))
    made = perform("data.merge", *paths, format="parquet", duplicates="drop")
    found = duckdb.sql(f"SELECT n FROM read_parquet('{made[0].path}')").fetchall()
    assert [n for (n,) in found] == list(range(300_000))


def test_rejected_rows_are_handed_out_for_their_file(texts: Texts, perform: Perform) -> None:
    good = "".join(f"{n},x\n" for n in range(50))
    made = perform("data.merge", *texts(a=f"id,t\n{good}", b=f"id,t\n{good}1,2,3,4\n{good}"))
    assert [o.path.name for o in made if o.role == "report"] == ["b-rejected.csv"]
    assert made[0].meta["rows"] == 150


def test_it_merges_in_the_child(texts: Texts, child: Callable[..., Told]) -> None:
    told = child("data.merge", *texts(a="x\n1\n", b="x\n2\n"), options={})
    assert told.codes == [] and told.of("output")[0]["meta"]["rows"] == 2
