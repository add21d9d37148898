"""What stands above a table, and signs of remarks: the table is found, and nothing is left out in silence."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from tests.operations.conftest import Listener
from uploads.operations import Output

Perform = Callable[..., list[Output]]
SOLD = "city,n,x\nBern,1,2\nBasel,2,3\n"


def converted(perform: Perform, path: Path) -> list[list[list[str]]]:
    """Return the rows of each CSV that a conversion makes: the table, then the rows that do not fit."""
    made = perform("data.convert", path, format="csv")
    found = []
    for output in made:
        if output.path.suffix == ".csv":
            with output.path.open(newline="", encoding="utf-8") as file:
                found.append(list(csv.reader(file)))
    return found


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("Sales of 2024\n\n", "1 line above the table is left out: “Sales of 2024”."),
        ("Sales of 2024,,\nall towns,,\n", "2 lines above the table are left out: “Sales of 2024”"),
        ("Sales of 2024,,\r\n,,\r\n", "1 line above the table is left out: “Sales of 2024”."),
        ("# made by hand\n# twice\n", "2 lines above the table are left out: “# made by hand”"),
        ('"Sales, all of them"\n\n', "1 line above the table is left out"),
        ("sep=,\nSales,,\n", "1 line above the table is left out: “Sales”."),
    ],
)
def test_titles_and_remarks_are_told(
    above: str, said: str, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    path = tmp_path / "sold.csv"
    end = "\r\n" if "\r\n" in above else "\n"
    path.write_bytes((above + SOLD.replace("\n", end)).encode())
    (table,) = converted(perform, path)
    assert table == [["city", "n", "x"], ["Bern", "1", "2"], ["Basel", "2", "3"]]
    assert [info for info in listener.infos if info.startswith(said)]


def test_rows_of_another_table_above_are_listed(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("x,1\ny,2\na,b,c\n1,2,3\n4,5,6\n7,8,9\n")
    table, rejected = converted(perform, path)
    assert table[0] == ["a", "b", "c"]
    assert [row[:2] for row in rejected[1:]] == [["1", "above the table"], ["2", "above the table"]]


@pytest.mark.parametrize(
    "written",
    [
        "city,n\nBern #1,1\n#2 Basel,2\nOlten,3\n",
        "name,colour\nred,#ff0000\ngreen,#00ff00\n",
        "#id,name\n1,Ann\n2,Bob\n",
        "a,b,c\n1,,\n,2,\n",
        '"Sales of\n2024",,\ncity,n,x\nBern,1,2\n',
    ],
)
def test_values_are_neither_remarks_nor_titles(
    written: str, perform: Perform, tmp_path: Path
) -> None:
    path = tmp_path / "plain.csv"
    path.write_text(written)
    (table,) = converted(perform, path)
    rows = list(csv.reader(written.splitlines(keepends=True)))
    assert table[1:] == rows[1:]
    assert table[0][0] == rows[0][0]


def test_a_remark_between_rows_is_listed(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    path.write_text("city,n\nBern,1\n# more\nBasel,2\n")
    table, rejected = converted(perform, path)
    assert table[1:] == [["Bern", "1"], ["Basel", "2"]]
    assert rejected[1:] == [["3", "too few values", "# more"]]


def test_a_title_above_the_table_of_a_sheet_is_told(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    path = tmp_path / "sold.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Sold")
        sheet.write(0, 0, "Sales of 2024")
        sheet.write_row(2, 0, ["city", "n", "x"])
        sheet.write_row(3, 0, ["Bern", 1, 2])
    (table,) = converted(perform, path)
    assert table == [["city", "n", "x"], ["Bern", "1", "2"]]
    assert "1 line above the table is left out: “Sales of 2024”." in listener.infos
