"""Tables in and out of real files: dialects, encodings, rows that do not fit, every format."""

import csv
import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from tests.operations.conftest import Listener, Told
from uploads.errors import Cancelled, InputError
from uploads.operations import Limits, Output
from uploads.packed import PACKINGS

Perform = Callable[..., list[Output]]
FORMATS = ("parquet", "csv", "ndjson", "json", "xlsx", "sqlite")
NAMES = ["order", "day", "city", "amount", "note"]


def held(path: Path) -> list[tuple[Any, ...]]:
    """Return the rows of a Parquet file."""
    return duckdb.sql(f"FROM read_parquet('{path}')").fetchall()


def types(path: Path) -> dict[str, str]:
    found = duckdb.sql(f"DESCRIBE FROM read_parquet('{path}')").fetchall()
    return {row[0]: row[1] for row in found}


def listed(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def counted(path: Path) -> int:
    """Return the rows of a result in any format, by another program than the one that wrote it."""
    if path.suffix == ".parquet":
        return len(held(path))
    if path.suffix == ".csv":
        return len(listed(path)) - 1
    if path.suffix == ".json":
        return len(json.loads(path.read_text()))
    if path.suffix == ".ndjson":
        return len([json.loads(line) for line in path.read_text().splitlines()])
    if path.suffix == ".xlsx":
        return len(CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()) - 1
    with sqlite3.connect(path) as database:
        return int(database.execute('SELECT count(*) FROM "orders"').fetchone()[0])


@pytest.fixture
def text(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return make


def results(made: list[Output]) -> list[Output]:
    """Return what is no preview."""
    return [output for output in made if output.role != "preview"]


@pytest.mark.parametrize("target", FORMATS)
def test_every_format_keeps_every_row(target: str, table: Path, perform: Perform) -> None:
    (made,) = results(perform("data.convert", table, format=target))
    assert made.meta["rows"] == counted(made.path) == 300


@pytest.mark.parametrize("source", FORMATS)
def test_what_was_written_is_read_again(
    source: str, table: Path, perform: Perform, tmp_path: Path
) -> None:
    (first,) = results(perform("data.convert", table, format="parquet"))
    kept = first.path.rename(tmp_path / "orders.parquet")
    (between,) = results(perform("data.convert", kept, format=source))
    again = between.path.rename(tmp_path / f"orders.{source}")
    (made,) = results(perform("data.convert", again, format="parquet"))
    assert list(types(made.path)) == NAMES
    assert [row[:1] + row[2:] for row in held(made.path)] == [
        row[:1] + row[2:] for row in held(kept)
    ]


def test_types_are_found_out(table: Path, perform: Perform) -> None:
    (made,) = results(perform("data.convert", table))
    assert types(made.path) == {
        "order": "BIGINT",
        "day": "DATE",
        "city": "VARCHAR",
        "amount": "DOUBLE",
        "note": "VARCHAR",
    }


@pytest.mark.parametrize(
    ("name", "encoding", "separator"),
    [
        ("german.csv", "cp1252", ";"),
        ("old.csv", "latin-1", ","),
        ("excel.csv", "utf-16", "\t"),
        ("bom.csv", "utf-8-sig", ","),
        ("tabs.tsv", "utf-8", "\t"),
        ("bars.csv", "utf-8", "|"),
    ],
)
def test_encoding_and_separator_are_found_out(
    name: str, encoding: str, separator: str, text: Callable[..., Path], perform: Perform
) -> None:
    rows = [
        ["Straße", "Nr"],
        ["Köln", "1"],
        ["Ærø", "2"],
        ["Łódź" if "utf" in encoding else "é", "3"],
    ]
    path = text(name, "".join(separator.join(row) + "\r\n" for row in rows), encoding)
    (made,) = results(perform("data.convert", path, format="csv"))
    assert listed(made.path) == rows


def test_a_letter_beyond_ascii_far_down_decides_the_encoding(
    text: Callable[..., Path], perform: Perform
) -> None:
    lines = ["name,number", *[f"plain {n},{n}" for n in range(200_000)], "Müller,1"]
    path = text("late.csv", "\n".join(lines) + "\n", "cp1252")
    (made,) = results(perform("data.convert", path))
    assert held(made.path)[-1] == ("Müller", 1)


def test_rows_that_do_not_fit_are_listed_with_line_and_reason(
    text: Callable[..., Path], perform: Perform, listener: Listener
) -> None:
    path = text("clients.csv", "name;x\n" + "a;1\n" * 50 + "b;2;3\n" + "c;4\n" * 9 + "alone\n")
    made, rejected = results(perform("data.convert", path))
    assert made.meta["rows"] == 59
    assert (rejected.path.name, rejected.role) == ("source-rejected.csv", "report")
    assert listed(rejected.path) == [
        ["line", "reason", "text"],
        ["52", "too many values", "b;2;3"],
        ["62", "too few values", "alone"],
    ]
    (warning,) = listener.warnings
    assert warning == "2 rows of clients.csv could not be read; they are in clients-rejected.csv."


@pytest.fixture
def odd(text: Callable[..., Path]) -> Path:
    """Numbers for as far as anybody looks, then something else."""
    return text("odd.csv", "a,b\n" + "1,2\n" * 30_000 + "n/a,3\n" + "4,5\n")


def test_a_value_of_another_type_makes_its_column_text(
    odd: Path, perform: Perform, listener: Listener
) -> None:
    (made,) = results(perform("data.convert", odd))
    assert types(made.path) == {"a": "VARCHAR", "b": "BIGINT"}
    assert held(made.path)[-2:] == [("n/a", 3), ("4", 5)]
    assert listener.warnings == []


def test_or_its_row_is_rejected(odd: Path, perform: Perform) -> None:
    made, rejected = results(perform("data.convert", odd, odd_values="reject"))
    assert types(made.path)["a"] == "BIGINT"
    assert listed(rejected.path)[1] == ["30002", "a value of another type in a", "n/a,3"]


def test_a_table_of_which_hardly_anything_fits_is_refused(
    text: Callable[..., Path], perform: Perform
) -> None:
    path = text("broken.csv", "a,b\n" + "1,2\n" * 30_000 + "1,2,3\n" * 500)
    with pytest.raises(InputError, match="more than 100 of its rows") as caught:
        perform("data.convert", path, limits=Limits(table_max_rejects=100))
    assert caught.value.code == "table_damaged"


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\r\n', "\ufeffSEP=;\n"])
def test_a_first_line_that_tells_excel_the_separator_is_no_row(
    first: str, text: Callable[..., Path], perform: Perform
) -> None:
    path = text("excel.csv", f"{first}a;b\n1,5;2\n")
    (made,) = results(perform("data.convert", path, format="csv"))
    assert made.path.read_text() == 'a,b\n"1,5",2\n'


@pytest.mark.parametrize("before", [0, 30_000])
def test_numbers_of_parts_are_no_floats(
    before: int, text: Callable[..., Path], perform: Perform
) -> None:
    path = text("parts.csv", "part\n" + "10001\n" * before + "12E3\n1E5\n")
    (made,) = results(perform("data.convert", path, format="csv"))
    assert made.path.read_text().splitlines()[-2:] == ["12E3", "1E5"]
    path = text("floats.csv", "x\n1e-05\n1.5E10\n1e+20\n")
    (made,) = results(perform("data.convert", path, format="csv"))
    assert list(map(float, made.path.read_text().splitlines()[1:])) == [1e-05, 1.5e10, 1e20]


def test_json_is_written_without_what_json_does_not_know(
    text: Callable[..., Path], perform: Perform
) -> None:
    path = text("odd.csv", "x\n1.5\nnan\n-inf\n")
    (made,) = results(perform("data.convert", path, format="json"))
    assert json.loads(made.path.read_text(), parse_constant=pytest.fail) == [
        {"x": 1.5},
        {"x": None},
        {"x": None},
    ]


YEARS = [
    (["country", 2020, 2021, 2022], ["Chad", 1.5, 1.7, 2], True),
    ([None, 2022, 2020], ["Chad", 15, 17], True),
    (["country", 2020, 2021, "note"], ["Chad", 15, 17, "low"], True),
    (["name", 2001, 2002], ["Ann", 2003, 2004], False),  # from and until
    (["Chad", 2020, 1999, 2021], ["Mali", 15, 17, 3], False),
    ([7, 2020, 2021], [8, 15, 17], False),
]


@pytest.mark.parametrize(("first", "second", "heads"), YEARS)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_years_beside_a_text_are_names_of_columns(
    first: list[Any], second: list[Any], heads: bool, kind: str, tmp_path: Path, perform: Perform
) -> None:
    path = tmp_path / f"years.{kind}"
    if kind == "csv":
        rows = (",".join("" if cell is None else str(cell) for cell in r) for r in (first, second))
        path.write_text("".join(f"{row}\n" for row in rows))
    else:
        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, first)
            sheet.write_row(1, 0, second)
    (made,) = results(perform("data.convert", path, format="ndjson"))
    found = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert len(found) == (1 if heads else 2)
    assert (str(first[1]) in found[0]) == heads
    assert [cell for cell in found[-1].values() if cell is not None] == second


def test_lengths_of_time_are_told_in_hours(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "times.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet, hours = book.add_worksheet(), book.add_format({"num_format": "[h]:mm:ss"})
        sheet.write_row(0, 0, ["worked", "n"])
        for row, days in enumerate((1.5, 0.25), start=1):
            sheet.write_number(row, 0, days, hours)
            sheet.write_number(row, 1, row)
    (made,) = results(perform("data.convert", path, format="csv"))
    assert made.path.read_text() == "worked,n\n36:00:00,1\n6:00:00,2\n"


def test_lines_that_are_no_json_are_listed(
    text: Callable[..., Path], perform: Perform, listener: Listener
) -> None:
    path = text("log.ndjson", '{"a":1}\n{"a":\n[1]\n{"a":2,"b":{"c":3}}\n')
    made, rejected = results(perform("data.convert", path))
    assert held(made.path) == [(1, None), (2, {"c": 3})]
    assert [row[:2] for row in listed(rejected.path)[1:]] == [
        ["2", "this is no JSON"],
        ["3", "this is no object"],
    ]
    assert "2 rows of log.ndjson could not be read" in listener.warnings[0]


def test_json_may_change_its_types_further_down(
    text: Callable[..., Path], perform: Perform
) -> None:
    path = text("late.ndjson", '{"a":1}\n' * 30_000 + '{"a":"x"}\n')
    (made,) = results(perform("data.convert", path, format="ndjson"))
    assert made.meta["rows"] == 30_001
    assert json.loads(made.path.read_text().splitlines()[-1]) == {"a": "x"}


def test_whole_numbers_of_json_too_wide_for_a_number_keep_every_digit(
    text: Callable[..., Path], perform: Perform
) -> None:
    rows = [{"id": 10**25 + n, "far": 1e30, "mixed": n + 0.5, "in": {"a": [n]}} for n in range(3)]
    path = text("wide.ndjson", "\n".join(map(json.dumps, rows)))
    (made,) = results(perform("data.convert", path, format="ndjson"))
    found = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert [row["id"] for row in found] == [str(row["id"]) for row in rows]
    assert [row["far"] for row in found] == [1e30] * 3
    assert [(row["mixed"], row["in"]) for row in found] == [(r["mixed"], r["in"]) for r in rows]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("01-02-2024", "01-02-2024"),  # January or February
        ("01-02-2024 03:04:05", "01-02-2024 03:04:05"),
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05", "2024-01-02 03:04:05"),
    ],
)
def test_dates_of_json_are_read_only_where_the_year_comes_first(
    written: str, read: str, text: Callable[..., Path], perform: Perform
) -> None:
    path = text("days.ndjson", f'{{"day": null, "n": 1}}\n{{"day": "{written}", "n": 2}}\n')
    (made,) = results(perform("data.convert", path, format="csv"))
    assert made.path.read_text().splitlines()[1:] == [",1", f"{read},2"]


def test_nested_values_are_json_in_a_csv(text: Callable[..., Path], perform: Perform) -> None:
    path = text("nested.json", '[{"id": 1, "tags": ["x", "y"]}, {"id": 2, "tags": []}]')
    (made,) = results(perform("data.convert", path, format="csv"))
    assert listed(made.path)[1] == ["1", '["x","y"]']


def test_broken_json_is_refused_with_its_place(text: Callable[..., Path], perform: Perform) -> None:
    path = text("half.json", '[{"a": 1}, {"a": 2')
    with pytest.raises(InputError, match=r"half\.json") as caught:
        perform("data.convert", path)
    assert caught.value.code == "table_damaged"
    assert str(path.parent) not in str(caught.value.values["reason"])


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """Two sheets that hold something, one that holds nothing."""
    path = tmp_path / "shop.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Goods")
        for number, row in enumerate([["code", "price"], ["007", 2.5], ["=1+1", 3]]):
            for place, value in enumerate(row):
                write = sheet.write_string if isinstance(value, str) else sheet.write
                write(number, place, value)
        book.add_worksheet("Nothing")
        book.add_worksheet("Staff & 2024").write_row(0, 0, [1, 2, 3])
    return path


def test_each_sheet_becomes_a_table(workbook: Path, perform: Perform) -> None:
    goods, staff = results(perform("data.convert", workbook, format="csv"))
    assert (goods.path.name, staff.path.name) == ("source-Goods.csv", "source-Staff _ 2024.csv")
    assert listed(goods.path) == [["code", "price"], ["007", "2.5"], ["=1+1", "3.0"]]
    assert listed(staff.path) == [["column_1", "column_2", "column_3"], ["1", "2", "3"]]


def test_texts_stay_texts_in_excel(workbook: Path, perform: Perform) -> None:
    (made,) = results(perform("data.convert", workbook, format="xlsx"))
    book = CalamineWorkbook.from_path(str(made.path))
    assert book.sheet_names == ["Goods", "Staff & 2024"]
    assert [row[0] for row in book.get_sheet_by_index(0).to_python()] == ["code", "007", "=1+1"]


def test_equal_tables_make_equal_workbooks(table: Path, child: Callable[..., Told]) -> None:
    made = []
    for _ in range(2):
        output, _ = child("data.convert", table, options={"format": "xlsx"}).of("output")
        made.append(Path(output["path"]).read_bytes())
    assert made[0] == made[1]


def test_a_sheet_that_would_not_fit_into_memory_is_refused(
    workbook: Path, perform: Perform
) -> None:
    with pytest.raises(InputError) as caught:
        perform("data.convert", workbook, limits=Limits(sheet_max_bytes=1000))
    assert caught.value.code == "table_too_large"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE people (name TEXT, age INTEGER, odd)")
        made.executemany(
            "INSERT INTO people VALUES (?, ?, ?)", [("Ann", 31, 1), ('B "b"\n', None, "x")]
        )
        made.execute("CREATE TABLE empty (a, b)")
        made.execute("CREATE VIEW old AS SELECT * FROM people")
    made.close()
    return path


def test_each_table_of_a_database_is_read(shop: Path, perform: Perform) -> None:
    empty, people = results(perform("data.convert", shop, format="parquet"))
    assert (empty.meta["rows"], empty.meta["columns"]) == (0, 2)
    assert held(people.path) == [("Ann", 31, "1"), ('B "b"\n', None, "x")]


def test_no_text_is_no_empty_text(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "texts.sqlite"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE t (a TEXT)")
        made.executemany("INSERT INTO t VALUES (?)", [("",), (None,)])
    made.close()
    (output,) = results(perform("data.convert", path))
    assert held(output.path) == [("",), (None,)]


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.xlsx", "x.sqlite", "x.json", "x.ndjson"])
def test_junk_is_refused_in_words(name: str, text: Callable[..., Path], perform: Perform) -> None:
    junk = bytes(number * 151 % 256 for number in range(20_000))
    with pytest.raises(InputError) as caught:
        perform("data.convert", text(name, junk))
    assert caught.value.code in {"table_damaged", "not_a_table"}
    assert len(caught.value.text) < 400


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize(("format", "lines"), [("csv", 301), ("ndjson", 300), ("json", 302)])
def test_texts_may_be_packed(
    table: Path, perform: Perform, compression: str, format: str, lines: int
) -> None:
    (made,) = results(
        perform("data.convert", table, format=format, compression=compression, separator="tab")
    )
    (packing,) = [packing for packing in PACKINGS if packing.suffix == f"+{compression}"]
    with made.path.open("rb") as file, packing.opened(file) as opened:
        told = opened.read().decode().splitlines()
    assert made.path.name == f"source.{format}{packing.endings[0]}"
    assert len(told) == lines
    assert format != "csv" or told[0].split("\t") == NAMES


def test_too_many_columns_are_refused(text: Callable[..., Path], perform: Perform) -> None:
    wide = ",".join(f"c{n}" for n in range(30))
    with pytest.raises(InputError, match="30 columns; at most 20"):
        perform("data.convert", text("wide.csv", f"{wide}\n"), limits=Limits(table_max_columns=20))


def test_progress_grows(table: Path, perform: Perform, listener: Listener) -> None:
    perform("data.convert", table, format="xlsx")
    assert listener.fractions == sorted(listener.fractions)
    assert listener.fractions[-1] >= 0.9


def test_it_stops_when_nobody_wants_it(
    text: Callable[..., Path], perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    path = text("long.csv", "a,b,c\n" + "1,some text,2.5\n" * 400_000)
    listener.raises = Cancelled
    with pytest.raises(Cancelled):
        perform("data.convert", path)
    assert not (tmp_path / "work").exists()


def test_the_first_rows_are_shown_beside_each_result(workbook: Path, perform: Perform) -> None:
    made = perform("data.convert", workbook, format="csv")
    pages = [output for output in made if output.role == "preview"]
    assert [page.path.name for page in pages] == [
        "source-Goods-rows.html",
        "source-Staff _ 2024-rows.html",
    ]
    assert "=1+1" in pages[0].path.read_text()
    assert made[0].meta["glance"]["columns"] == ["code", "price"]


def test_a_sheet_whose_packed_bytes_do_not_fit_together_is_damaged(
    tmp_path: Path, perform: Perform
) -> None:
    path = tmp_path / "torn.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row in range(2000):
            sheet.write_row(row, 0, [row, f"text {row}"])
    with zipfile.ZipFile(path) as archive:
        begin = archive.getinfo("xl/worksheets/sheet1.xml").header_offset
    content = bytearray(path.read_bytes())
    content[begin + 200 : begin + 260] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        perform("data.convert", path)
    assert refused.value.code == "table_damaged"
