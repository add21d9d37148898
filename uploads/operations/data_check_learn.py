"""Rules out of a table that is as it should be: what all of its rows follow today."""

from collections.abc import Iterator
from html import escape
from typing import Any

from uploads.operations.base import Output
from uploads.operations.duck import Duck, Span, name
from uploads.operations.tables_given import Table
from uploads.operations.tables_page import is_number, page
from uploads.operations.tables_rules import TOGETHER

FEW_VALUES, MANY_ROWS = 12, 50
WORDS = {"DATE": "date", "TIME": "time", "BOOLEAN": "yes or no", "VARCHAR": "text"}
HOW = "Read and correct them, then check the next table by them."
AT_ONCE = 40  # columns a question


def learned(table: Table, label: str, engine: Duck, span: Span) -> Iterator[Output]:
    """Hand out a text with a rule for each column, and a page that shows it.

    Kinds are those of the values; a column without gaps is required, one whose values all
    differ is unique, numbers none of which is negative begin at 0, and few different texts in
    many rows are the only ones.
    """
    lines = [f"# What {table.rows:,} rows of {table.name or engine.step.name} follow."]
    for begin in range(0, len(table.columns), AT_ONCE):
        columns = table.columns[begin : begin + AT_ONCE]
        share = span[0] + (span[1] - span[0]) * begin / len(table.columns)
        engine.report(share, "looking at the columns")
        counts = ", ".join(_asked(column, kind) for column, kind in columns)
        (found,) = engine.rows(f"SELECT {counts} FROM {table.source}")
        for number, (column, kind) in enumerate(columns):
            facts = found[number * 3 : number * 3 + 3]
            lines.append(_line(column, kind, facts, table, engine))
    target = engine.step.path(f"{label}-rules.txt")
    written = "\n".join(lines) + "\n"
    target.write_text(written, encoding="utf-8")
    engine.report(span[1], "looking at the columns")
    yield Output(target, meta={"rules": len(lines) - 1})
    shown = engine.step.path(f"{label}-rules-rows.html")
    called = f"Rules that {table.name or engine.step.name} follows"
    body = f'<header><h1>{escape(called)}</h1><p class="dim">{HOW}</p><pre>{escape(written)}</pre></header>'
    shown.write_text(page(called, body), encoding="utf-8")
    yield Output(shown, role="preview", meta={"page": True})


def _asked(column: str, kind: str) -> str:
    """Return what is asked of a column: filled rows, different values, the least one."""
    filled = f"nullif({name(column)}::VARCHAR, '')"
    least = f"min({name(column)})" if is_number(kind) else "NULL"
    return f"count({filled}), approx_count_distinct({filled}), {least}"


def _line(column: str, kind: str, facts: Any, table: Table, engine: Duck) -> str:
    filled, about, least = facts
    if set(column) & set("\r\n"):
        return f"# A name with a line end can't stand here: {' '.join(column.split())}"
    whole = is_number(kind) and "INT" in kind and "HUGE" not in kind and kind != "UBIGINT"
    word = "whole number" if whole else "number" if is_number(kind) else WORDS.get(kind, "")
    said = [word or ("moment" if kind.startswith("TIMESTAMP") else "any")]
    if filled == table.rows > 0:
        said.append("required")
    if (
        (whole or word == "text")
        and filled > 1
        and about > 0.9 * filled
        and _differ(column, filled, table, engine)
    ):
        said.append("unique")
    if least is not None and least >= 0:
        said.append("from 0")
    if word == "text" and filled >= MANY_ROWS and 0 < about <= FEW_VALUES:
        said += _only(column, table, engine)
    return f"{_written(column)}: {', '.join(said)}"


def _differ(column: str, filled: int, table: Table, engine: Duck) -> bool:
    value = f"nullif({name(column)}::VARCHAR, '')"
    return bool(engine.one(f"SELECT count(DISTINCT {value}) FROM {table.source}") == filled)


def _only(column: str, table: Table, engine: Duck) -> list[str]:
    """Return the values of a column with few of them, where a rule can say them."""
    found = engine.rows(
        f"SELECT DISTINCT {name(column)} FROM {table.source} WHERE {name(column)} <> '' "
        f"ORDER BY 1 LIMIT {FEW_VALUES + 1}"
    )
    values = [row[0] for row in found]
    plain = all(value == value.strip() and not set(value) & set("|\n\r") for value in values)
    return [f"one of {' | '.join(values)}"] if plain and len(values) <= FEW_VALUES else []


def _written(column: str) -> str:
    """Return a column's name as a rule begins with it."""
    strange = set(column) & set(':"#') or column != column.strip()
    if strange or column.casefold() == TOGETHER:
        return '"' + column.replace('"', '""') + '"'
    return column
