"""Questions in SQL to real files: names, joins, what is refused, where a mistake is."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.operations.conftest import Listener, Told
from uploads.errors import InputError, RequestError
from uploads.operations import Output
from uploads.operations.options import parse_options
from uploads.operations.query import EXAMPLES, Question
from uploads.operations.tables_given import table_name

Perform = Callable[..., list[Output]]


def rows(output: Output) -> list[list[str]]:
    with output.path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    path = tmp_path / "City list (new).csv"
    path.write_text("name;country\nBerlin;Germany\nLund;Sweden\n")
    return path


def refused(perform: Perform, sql: str, *paths: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        perform("data.query", *paths, sql=sql)
    return caught.value


def test_one_file_is_asked_by_its_name(table: Path, perform: Perform) -> None:
    sql = "SELECT city, count(*) AS n, sum(amount) AS s FROM orders GROUP BY city ORDER BY city"
    answer, page = perform("data.query", table, sql=sql)
    assert [row[:2] for row in rows(answer)] == [
        ["city", "n"],
        *(["Berlin", "100"], ["Lund", "100"], ["Porto", "100"]),
    ]
    assert (answer.path.name, answer.meta["rows"]) == ("orders-answer.csv", 3)
    assert (page.role, page.meta) == ("preview", {"page": True})


def test_the_first_one_is_also_called_data(table: Path, perform: Perform) -> None:
    answer, _ = perform("data.query", table, sql="SELECT count(*) AS n FROM data")
    assert rows(answer) == [["n"], ["300"]]


def test_files_are_joined(table: Path, cities: Path, perform: Perform) -> None:
    sql = """
        SELECT country, count(*) AS n   -- how many in each
        FROM orders JOIN City_list_new AS c ON c.name = orders.city
        GROUP BY country ORDER BY country;
    """
    answer, _ = perform("data.query", table, cities, sql=sql)
    assert rows(answer) == [["country", "n"], ["Germany", "100"], ["Sweden", "100"]]
    assert answer.path.name == "answer.csv"


@pytest.mark.parametrize("example", sorted(EXAMPLES))
def test_the_examples_run(example: str, tmp_path: Path, perform: Perform) -> None:
    orders, customers = tmp_path / "orders.csv", tmp_path / "customers.csv"
    orders.write_text("customer,city,day,amount\n1,Lund,2024-01-03,5.5\n7,Lund,2024-01-09,2\n")
    customers.write_text("id,name\n1,Ann\n2,Bob\n")
    answer, _ = perform("data.query", orders, customers, sql=EXAMPLES[example])
    assert rows(answer)


def test_several_questions_have_several_answers(table: Path, perform: Perform) -> None:
    made = perform("data.query", table, sql="SELECT min(day) FROM data; SELECT max(day) FROM data;")
    answers = [output for output in made if output.role == "result"]
    assert [output.path.name for output in answers] == [
        "orders-answer-1.csv",
        "orders-answer-2.csv",
    ]
    assert [rows(output)[1] for output in answers] == [["2024-01-05"], ["2024-12-05"]]


@pytest.mark.parametrize("target", ["csv", "parquet", "xlsx", "ndjson"])
def test_an_answer_has_the_wanted_format(target: str, table: Path, perform: Perform) -> None:
    answer, _ = perform("data.query", table, sql="SELECT * FROM data LIMIT 7", format=target)
    assert answer.path.name == f"orders-answer.{target}"
    assert answer.meta["rows"] == 7


def test_sums_of_whole_numbers_stay_whole_and_in_order(table: Path, perform: Perform) -> None:
    sql = 'SELECT city, sum("order") AS total FROM data GROUP BY city ORDER BY total DESC'
    answer, _ = perform("data.query", table, sql=sql)
    assert rows(answer)[1:] == [["Lund", "15050"], ["Porto", "14950"], ["Berlin", "14850"]]


def test_columns_of_the_same_name_are_told_apart(table: Path, perform: Perform) -> None:
    sql = 'SELECT a."order", b."order" FROM data a JOIN data b ON a."order" = b."order" LIMIT 1'
    answer, _ = perform("data.query", table, sql=sql)
    assert rows(answer)[0] == ["order", "order_1"]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY data TO 'x.csv'",
        "CREATE TABLE t AS FROM data",
        "SET threads = 1",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
        "SELECT 1; DROP VIEW data",
        "PRAGMA database_list",
        "CALL duckdb_settings()",
        "-- nothing",
    ],
)
def test_only_questions_are_taken(sql: str, table: Path, perform: Perform) -> None:
    assert refused(perform, sql, table).code == "sql_refused"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('../../../../etc/passwd')",
        "SELECT * FROM 'https://example.org/x.parquet'",
        "SELECT * FROM glob('/*')",
    ],
)
def test_other_files_are_closed(sql: str, table: Path, perform: Perform) -> None:
    assert refused(perform, sql, table).code in {"sql_wrong", "sql_failed"}


def test_a_mistake_is_told_with_its_place(table: Path, perform: Perform) -> None:
    sql = "SELECT 'äöü' AS x;\nSELECT city,\n  'ä', amont FROM data"
    wrong = refused(perform, sql, table)
    assert wrong.code == "sql_wrong"
    assert (wrong.values["line"], wrong.values["column"]) == (3, 8)
    assert "There is no column “amont”." in wrong.text
    assert wrong.fix == "Did you mean amount or day? 'ä', ▸amont FROM data"


def test_an_unknown_table_lists_those_there_are(
    table: Path, cities: Path, perform: Perform
) -> None:
    wrong = refused(perform, "SELECT * FROM ordres", table, cities)
    assert "There is no table “ordres”." in wrong.text
    assert wrong.fix.startswith("The tables are orders, City_list_new, data.")


def test_a_syntax_error_has_its_place(table: Path, perform: Perform) -> None:
    wrong = refused(perform, "SELECT *\nFRM orders x y", table)
    assert (wrong.code, wrong.values["line"]) == ("sql_wrong", 2)


def test_a_value_that_is_no_number_is_told(table: Path, perform: Perform) -> None:
    wrong = refused(perform, "SELECT city::INTEGER FROM data", table)
    assert wrong.values["line"] == 1
    assert "Berlin" in wrong.text


def test_a_value_far_down_makes_its_column_text_and_the_question_goes_on(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("a,b\n" + "1,2\n" * 30_000 + "n/a,3\n1,2,3\n")
    answer, _, rejected = perform("data.query", path, sql="SELECT count(a) AS n FROM odd")
    assert rows(answer) == [["n"], ["30001"]]
    assert rows(rejected)[1] == ["30003", "too many values", "1,2,3"]
    assert "1 row of odd.csv could not be read; it is in odd-rejected.csv." in listener.warnings


def test_a_broken_file_is_named(table: Path, tmp_path: Path, perform: Perform) -> None:
    broken = tmp_path / "half.parquet"
    broken.write_bytes(b"PAR1 and then nothing")
    wrong = refused(perform, "SELECT 1", table, broken)
    assert (wrong.code, wrong.values["name"]) == ("table_damaged", "half.parquet")


def test_the_sandboxed_program_answers(table: Path, child: Callable[..., Told]) -> None:
    told = child("data.query", table, options={"sql": "SELECT count(*) FROM orders"})
    assert told.codes == []
    assert [output["role"] for output in told.of("output")] == ["result", "preview"]


def test_the_page_of_an_answer_shows_texts_as_they_are(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "evil.csv"
    path.write_text('a,b\n<script>alert(1)</script>,"<img src=x onerror=y>"\n')
    _, page = perform("data.query", path, sql='SELECT a AS "<b>", b FROM evil')
    markup = page.path.read_text()
    assert "<script" not in markup and "<img" not in markup and "<b>" not in markup
    assert "&lt;script&gt;alert(1)" in markup


def test_wide_and_long_answers_make_pages_that_browsers_show(
    tmp_path: Path, perform: Perform
) -> None:
    path = tmp_path / "n.csv"
    path.write_text("n\n1\n")
    wide = ", ".join(f"repeat('x', 400) AS c{n}" for n in range(400))
    _, page = perform("data.query", path, sql=f"SELECT {wide} FROM range(700)")
    first = page.path.read_bytes()[: page.meta["pages"][0]]
    assert len(first) < 25_000_000
    assert "200 of the columns" in first.decode()


@pytest.mark.parametrize(
    ("stem", "called"),
    [
        ("orders", "orders"),
        ("Orders 2024 (final)", "Orders_2024_final"),
        ("2024-01", "t_2024_01"),
        ("select", "select_table"),
        ("---", "table_table"),
        ("Straße", "Straße"),
    ],
)
def test_files_names_become_names_that_need_no_quotes(stem: str, called: str) -> None:
    reserved = {"select", "table"}
    assert table_name(stem, reserved) == called
    duckdb.sql(f"WITH {called} AS (SELECT 1) FROM {called}")


def test_files_of_the_same_name_are_told_apart(
    table: Path, tmp_path: Path, perform: Perform
) -> None:
    second = tmp_path / "Orders.json"
    second.write_text(json.dumps([{"x": 1}]))
    answer, _ = perform("data.query", table, second, sql="SELECT x FROM Orders_2")
    assert rows(answer) == [["x"], ["1"]]


def test_a_question_is_needed() -> None:
    with pytest.raises(RequestError, match="A question is needed"):
        parse_options(Question, {"sql": " ;\n"})


def test_a_question_may_have_lines() -> None:
    assert parse_options(Question, {"sql": "SELECT 1,\r\n\t2"}).sql == "SELECT 1,\n\t2"
    with pytest.raises(RequestError, match="control characters"):
        parse_options(Question, {"sql": "SELECT 1\x00"})
