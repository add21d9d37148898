"""Places in questions: which colons are some, what their values become, what is refused."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.support.placed import NASTY, QUESTION, VALUES
from uploads.errors import InputError, RequestError
from uploads.operations import Output
from uploads.operations.places import check_values, filled, places_in, values_in

Perform = Callable[..., list[Output]]


@pytest.mark.parametrize(
    ("sql", "places"),
    [
        ("SELECT * FROM data WHERE day >= :from AND day<:till AND city IN (:city,:city)",
         ["from", "till", "city"]),
        ("SELECT ':no', \":no\", `:no`, $$ :no $$, $x$ :no $x$ -- :no\n/* :no */, :yes", ["yes"]),
        ("SELECT day::date, a[2:n], a[lo:hi], '{\"a\":1}', {'a':b}, x:=3, E'it\\'s :no'", []),
        (":first", ["first"]),
        ("SELECT 'it''s :no', 10-:less, :1", ["less"]),
    ],
)  # fmt: skip
def test_only_a_colon_where_a_value_may_stand_marks_a_place(sql: str, places: list[str]) -> None:
    assert places_in(sql) == places


def test_a_backslash_ends_no_text_of_mysql() -> None:
    sql = r"SELECT 'it\'s :no', :yes"
    assert places_in(sql, escapes=True) == ["yes"]
    assert filled(sql, "yes = 1", "mysql") == r"SELECT 'it\'s :no', 1"


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("12", "12"),
        ("-1.50", " -1.50"),
        ("007", "'007'"),
        ("1e5", "'1e5'"),
        ("NULL", "NULL"),
        ("Porto", "'Porto'"),
        ('"12"', "'12'"),
        ("'null'", "'null'"),
        ('""', "''"),
        ("O'Neill", "'O''Neill'"),
        ("'", "''''"),
        ("a = b", "'a = b'"),
    ],
)
def test_values_become_numbers_and_texts(value: str, literal: str) -> None:
    assert filled("SELECT 1-:v", f"v = {value}") == f"SELECT 1-{literal}"


def test_several_lines_of_a_name_are_a_list() -> None:
    assert filled("city IN (:city)", "city = Porto\ncity=Lund\n\n") == "city IN ('Porto', 'Lund')"


def test_what_is_missing_or_too_much_is_refused_in_words() -> None:
    for values, words in (("", "no value for “:day”"), ("day =", "no value for “:day”"),
                          ("day = 1\nmonth = 2", "no place “:month”"), ("day", "Line 1")):  # fmt: skip
        with pytest.raises(RequestError, match=words) as refused:
            check_values("SELECT :day", values)
        assert refused.value.values["field"] == "values"
    with pytest.raises(InputError, match="no value for “:day”"):
        filled("SELECT :day", "")
    check_values(r"SELECT 'it\'s :no'", "")  # MySQL's way, or somebody's fault: it runs to see
    assert values_in(" :day = 2024-01-31 ") == {"day": ["2024-01-31"]}


def test_tables_are_asked_with_every_text(table: Path, perform: Perform) -> None:
    answer, _ = perform("data.query", table, sql=QUESTION, values=VALUES, format="parquet")
    assert duckdb.sql(f"FROM read_parquet('{answer.path}')").fetchall() == [NASTY]


def test_a_mistake_beside_a_place_is_told_with_what_was_asked(
    table: Path, perform: Perform
) -> None:
    with pytest.raises(InputError) as wrong:
        perform("data.query", table, sql="SELECT :a,\nnone FROM data", values="a = Porto")
    assert wrong.value.code == "sql_wrong"
    assert (wrong.value.values["line"], wrong.value.values["column"]) == (2, 1)
