"""Tables whose columns, sheets and numbers are unlike most: nothing breaks, no digit is lost."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import xlsxwriter

from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]


@pytest.mark.parametrize("column", ["rows", "value", "file_row_number", "count", "place"])
@pytest.mark.parametrize("count", [40, 250_000])
def test_a_profile_counts_columns_of_any_name(
    column: str, count: int, perform: Perform, tmp_path: Path
) -> None:
    path = tmp_path / "named.csv"
    lines = "".join(
        f"{n % 4},{'many' if n % 5 else 'few'},{n % 10 or 'odd'}\n" for n in range(count)
    )
    path.write_text(f"{column},word,mixed\n{lines}")
    made = perform("data.profile", path)
    (report,) = [o for o in made if o.path.suffix == ".json"]
    (table,) = json.loads(report.path.read_text())["tables"]
    (told,) = [found for found in table["columns"] if found["name"] == column]
    assert {row["rows"] for row in told["frequent"]} == {count // 4}


def test_a_profile_bears_the_largest_numbers(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text("x\n-1.5e308\n1.7e308\n3\n5\n")
    assert perform("data.profile", path)


def test_sqlite_keeps_every_digit(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "exact.parquet"
    sql = "SELECT 18446744073709551615::UBIGINT AS u, 1234567890123456.78::DECIMAL(18, 2) AS d"
    duckdb.sql(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
    made = perform("data.convert", path, format="sqlite")
    database = sqlite3.connect(made[0].path)
    (table,) = database.execute("SELECT name FROM sqlite_master").fetchone()
    row = database.execute(f'SELECT * FROM "{table}"').fetchone()
    database.close()
    assert row == ("18446744073709551615", "1234567890123456.78")


def test_tables_may_be_called_as_sqlites_own(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "sqlite_master.csv"
    path.write_text("a\n1\n")
    database = sqlite3.connect(perform("data.convert", path, format="sqlite")[0].path)
    assert database.execute("SELECT a FROM t_sqlite_master").fetchall() == [(1,)]
    database.close()


def test_one_cell_far_away_is_told_in_words(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "far.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    sheet.write(0, 0, "here")
    sheet.write(1_048_575, 16_383, "there")
    book.close()
    with pytest.raises(InputError, match="span 1,048,576 rows and 16,384 columns"):
        perform("data.convert", path)


def test_a_question_to_a_damaged_file_tells_its_name_alone(
    perform: Perform, tmp_path: Path
) -> None:
    path = tmp_path / "rows.parquet"
    duckdb.sql(f"COPY (SELECT range AS a FROM range(100000)) TO '{path}' (FORMAT parquet)")
    whole = bytearray(path.read_bytes())
    whole[200:5000] = b"\xff" * 4800
    path.write_bytes(whole)
    with pytest.raises(InputError) as caught:
        perform("data.query", path, sql="SELECT sum(a) FROM data")
    assert str(tmp_path) not in caught.value.text
