"""Rows by rules: what breaks one is put apart with its reasons, the others stay as they were."""

import csv
import json
import sqlite3
from collections.abc import Callable
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import pytest

from tests.operations.conftest import Listener
from uploads.errors import InputError, RequestError
from uploads.operations import Output
from uploads.operations.data_check import CheckTable

Perform = Callable[..., list[Output]]
ORDERS = """number,customer,day,amount,state,note
1,Ann,2024-01-01,5.50,open,x
2,,2019-01-01,-3,paid,
2,Bo,31.12.2024,abc,lost,y
4,Cy,2024-02-30,12345678901234567890,sent,z
05,Di,2024-02-29,007,open,"a,b"
6,Ed,2024-02-28,1e3,SENT,
"""
RULES = """# of a shop
number: whole number, required, unique
Customer: text, required, at least 2 letters, at most 3 letters
day: date, from 2020-01-01
amount: number, from 0

state: one of open | paid | sent
"""


def rows(output: Output) -> list[list[str]]:
    with output.path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    return path


def parted(
    perform: Perform, path: Path, rules: str, **options: object
) -> tuple[list[list[str]], dict[str, str]]:
    """Return the rows that fit, and the reasons by the number of each row that does not."""
    made = perform("data.check", path, rules=rules, **options)
    good = next(output for output in made if output.role == "result")
    apart = [row for output in made if output.role == "report" for row in rows(output)[1:]]
    return rows(good), {row[0]: row[1] for row in apart}


def test_rows_part_and_those_that_fit_stay_as_written(
    orders: Path, perform: Perform, listener: Listener
) -> None:
    good, broken = parted(perform, orders, RULES)
    assert good == [
        ["number", "customer", "day", "amount", "state", "note"],
        ["1", "Ann", "2024-01-01", "5.50", "open", "x"],
        ["05", "Di", "2024-02-29", "007", "open", "a,b"],
    ]
    assert broken == {
        "2": "“customer” is empty; “day” is below 2020-01-01; “amount” is below 0",
        "3": "“number” has occurred before; “day” is no date; “amount” is no number; "
        "“state” is none of “open”, “paid”, “sent”",
        "4": "“day” is no date",
        "6": "“state” is none of “open”, “paid”, “sent”",
    }
    (warning,) = listener.warnings
    assert warning.startswith(
        "4 rows break the rules: “day” is no date (2 rows, the first is row 3"
    )
    assert "“number” has occurred before (row 3: “2”); 4 more rules are broken." in warning


def test_what_follows_all_rules_is_said_so(
    orders: Path, perform: Perform, listener: Listener
) -> None:
    good, broken = parted(perform, orders, "note\nday: text")
    assert (len(good), broken, listener.warnings) == (7, {}, [])
    assert listener.infos[-1] == "All 6 rows of orders.csv follow the rules."


@pytest.mark.parametrize(
    ("rule", "values", "broken"),
    [
        ("whole number", ["1", "-2", "+3", " 4 ", "1.0", "1e3", "x", "", "9223372036854775808", "007", "1_0"], "5679 11"),
        ("number", ["1", "1.5", "-1e3", "12345678901234567890", "1,5", "x"], "56"),
        ("yes or no", ["yes", "No", "1", "0", "TRUE", "false", "2", "ja", ""], "78"),
        ("date", ["2024-02-29", "2023-02-29", "2024-2-3", "2024-02-29 10:00", "29.2.24"], "245"),
        ("date %d.%m.%Y", ["29.02.2024", "29.02.2023", "2024-02-29"], "23"),
        ("moment", ["2024-02-29 10:00:00", "2024-02-29T10:00", "2024-02-29", "25:00"], "4"),
        ("time", ["10:00:00", "10:00:61", "x"], "23"),
        ("whole number, from 2 to 4", ["1", "2", "4", "5", "x", ""], "145"),
        ("date, to 2024-06-30", ["2024-06-30", "2024-07-01"], "2"),
        ("moment, from 2024-06-30 12:00", ["2024-06-30 11:59:59", "2024-06-30 12:00:00"], "1"),
        ("required", ["x", "", " "], "2"),
        ("at least 2 letters, at most 3 letters", ["ä", "ää", "äää", "ääää", ""], "14"),
        ("like [A-Z]{1,2}, x", ["A, x", "AB, x", "A", "zA, x", ""], "34"),
        ("text, one of a, b | c", ["a, b", "c", "b", "C", ""], "34"),
        ("number, one of 1 | 2.5", ["1", "1.0", "2.50", "3", "x"], "45"),
        ("unique", ["a", "b", "a", "", "", "A"], "3"),
        ("number, unique", ["1", "1.0", "2"], "2"),
        ("any", ["a", "", "1"], ""),
    ],
)  # fmt: skip
def test_each_rule_finds_what_breaks_it(
    rule: str, values: list[str], broken: str, perform: Perform, tmp_path: Path
) -> None:
    path = tmp_path / "one.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            [["a:b", "n"], *([v, "x"] for v in values)]
        )
    found = parted(perform, path, f'"a:b": {rule}')[1]
    assert "".join(found) == broken.replace(" ", "")


def test_several_columns_are_unique_together(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("name,city,n\nAnn,Lund,1\nAnn,Porto,2\nAnn,Lund,3\n")
    found = parted(perform, path, "unique together: Name, city")[1]
    assert found == {"3": "“name” and “city” together have occurred before"}


def test_other_columns_are_dropped_or_refused(orders: Path, perform: Perform) -> None:
    good, _ = parted(perform, orders, "number\nnote", others="drop")
    assert good[0] == ["number", "note"]
    with pytest.raises(InputError, match="no rule is about “customer”, “day”"):
        perform("data.check", orders, rules="number\nnote", others="refuse")


def test_a_file_may_fail_as_a_whole(orders: Path, perform: Perform) -> None:
    with pytest.raises(InputError, match=r"orders.csv.* “customer” is empty \(row 2\)"):
        perform("data.check", orders, rules="customer: required", broken="fail")
    with pytest.raises(InputError, match="has no column “town”"):
        perform("data.check", orders, rules="town: required")
    for rules in ("note: like [(", "note: like (?=x)", "day: date %Q"):
        with pytest.raises(
            InputError, match="A pattern of the rules, or a way to write days, is none"
        ):
            perform("data.check", orders, rules=rules)


def test_parquet_has_the_types_of_the_rules(perform: Perform, tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "people.csv"
    path.write_text(
        "id,born,member,size,big,plain\n7,24.12.1990,yes,1.5,1,2\n8,,no,2,12345678901234567891,3\nx,,,,,\n"
    )
    rules = "id: whole number\nborn: date %d.%m.%Y\nmember: yes or no\nsize: number\nbig: number"
    made = perform("data.check", path, rules=rules, format="parquet")
    result = next(output for output in made if output.role == "result")
    found = duckdb.sql(f"SELECT * FROM read_parquet('{result.path}')")
    assert [str(kind) for kind in found.types] == [
        *("BIGINT", "DATE", "BOOLEAN", "DOUBLE", "VARCHAR", "BIGINT")
    ]
    assert found.fetchall() == [
        (7, date(1990, 12, 24), True, 1.5, "1", 2),
        (8, None, False, 2.0, "12345678901234567891", 3),
    ]


def test_a_table_with_types_is_checked_by_its_values(perform: Perform, tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "typed.parquet"
    duckdb.sql(
        "COPY (SELECT * FROM (VALUES (1, 2.0::DOUBLE, TIMESTAMP '2024-01-01', true, [1]), "
        "(2, 2.5, TIMESTAMP '2024-01-01 10:00', NULL, NULL)) AS t(a, b, c, d, e)) "
        f"TO '{path}' (FORMAT parquet)"
    )
    whole = "a: number\nb: whole number\nc: date\nd: yes or no\ne: at most 3 letters"
    good, broken = parted(perform, path, whole)
    assert broken == {"2": "“b” is no whole number; “c” is no date"}
    assert len(good) == 2


def test_a_table_schema_says_the_same(orders: Path, perform: Perform) -> None:
    schema = {
        "fields": [
            {"name": "number", "type": "integer"},
            {"name": "customer", "type": "string", "constraints": {"required": True, "maxLength": 2}},
            {"name": "day", "type": "date", "constraints": {"minimum": "2020-01-01"}},
            {"name": "amount", "type": "number", "constraints": {"maximum": 1000}},
            {"name": "state", "type": "string", "constraints": {"enum": ["open", "paid"]}},
            {"name": "note", "type": "any", "constraints": {"pattern": "[a-z]?", "unique": True}},
        ],
        "primaryKey": "number",
        "missingValues": ["", "abc"],
    }  # fmt: skip
    found = parted(perform, orders, json.dumps(schema))[1]
    assert found == {
        "1": "“customer” is longer than 2 letters",
        "2": "“customer” is empty; “day” is below 2020-01-01",
        "3": "“number” has occurred before; “day” is no date; “state” is none of “open”, “paid”",
        "4": "“day” is no date; “amount” is above 1000; “state” is none of “open”, “paid”",
        "5": "“note” is not like [a-z]?",
        "6": "“state” is none of “open”, “paid”",
    }


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("a: numbr", "line 1: “numbr” is not understood; there are text, whole number"),
        ("a: text\n: text", "line 2: it names no column"),
        ("a: text\na: date", "“a” has two rules"),
        ("a: from 1", "“a” is compared, so say what it is"),
        ("a: whole number, from x", "“x” of “a” is no whole number"),
        ("a: date, one of today | 2024-01-01", "“today” of “a” is no date"),
        ("a: date, from 20240101", "“20240101” of “a” is no date"),
        ("a: moment, from 2024-01-01T10:00+02:00", "“2024-01-01T10:00+02:00” of “a” is no moment"),
        ("a: whole number, to 99999999999999999999", "of “a” is no whole number"),
        ("a: number, from nan", "“nan” of “a” is no number"),
        ('{"fields": 1}', "a Table Schema has a list “fields”"),
        ('{"fields": [{"name": "a", "type": "geopoint"}]}', "the type “geopoint” of “a”"),
        ('{"fields": [{"name": "a", "constraints": {"odd": 1}}]}', "“odd” of “a” is not known"),
        ('{"fields": [{"name": "a", "constraints": {"minLength": "x"}}]}', "do not fit"),
        ('{"fields": [{"name": "a", "format": "binary"}]}', "the format “binary” of “a”"),
        ('{"fields": [{"name": "a", "type": "number", "decimalChar": ","}]}', "“decimalChar” of “a”"),
        ('{"fields": [], "foreignKeys": [1]}', "“foreignKeys” is not looked at here"),
        ("{", "this is no JSON"),
    ],
)  # fmt: skip
def test_rules_that_can_not_be_understood_are_told_at_once(rules: str, said: str) -> None:
    with pytest.raises(RequestError) as raised:
        CheckTable(rules=rules)
    assert said in raised.value.text and raised.value.values["field"] == "rules"


def test_a_table_follows_the_rules_that_are_learned_of_it(
    table: Path, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    def learned(path: Path) -> str:
        made, shown = perform("data.check", path)
        assert shown.role == "preview" and shown.meta == {"page": True}
        assert escape(made.path.read_text()) in shown.path.read_text()
        return made.path.read_text()

    rules = learned(table)
    assert "city: text, required, one of Berlin | Lund | Porto" in rules
    database = tmp_path / "shop.sqlite"
    with sqlite3.connect(database) as made:
        made.execute(
            'CREATE TABLE "odd: ones" ("a: b" TEXT, "unique together" INT, n REAL, d TEXT)'
        )
        rest: list[tuple[Any, ...]] = [("x", 1, -0.5, "2024-01-01"), ("a|b", None, 2.5, "")]
        made.executemany('INSERT INTO "odd: ones" VALUES (?, ?, ?, ?)', rest * 40)
    odd = learned(database)
    assert '"a: b": text, required' in odd and '"unique together": whole number, from 0' in odd
    for path, written in ((table, rules), (database, odd)):
        found = parted(perform, path, written)[1]
        assert found == {} and listener.warnings == []


def test_columns_of_any_name_keep_it(perform: Perform, tmp_path: Path, listener: Listener) -> None:
    path = tmp_path / "odd.csv"
    path.write_text('Row,reason,"a ""b"", c"\n1,x,\n2,y,z\n')
    made = perform("data.check", path, rules='"a ""b"", c": required')
    apart = next(output for output in made if output.role == "report")
    assert rows(apart) == [
        ["row_2", "reason_2", "Row", "reason", 'a "b", c'],
        ["1", '“a "b", c” is empty', "1", "x", ""],
    ]
    assert perform("data.check", path, rules="# none yet")[0].path.suffix == ".txt"
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n")
    good, broken = parted(perform, empty, "a: whole number, unique\nunique together: a, b")
    assert (good, broken) == ([["a", "b"]], {})
