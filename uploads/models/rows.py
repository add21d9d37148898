"""Rows by plain statements: for what every step does, where the ORM costs ten times the statement.

Everything rare is said in the ORM. It knows no table; a caller's statement is its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)

Values = Mapping[str, Any]
Converter = Callable[[Any], Any]


@contextmanager
def together() -> Iterator[None]:
    """Let PostgreSQL answer many statements at once: each waits only for rows that it reads.

    What fails raises at the next rows or at the end; `change` knows no count here.
    """
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def change(sql: str, values: Values) -> int:
    """Run a statement that returns nothing; return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, _adapted(values))
        return int(cursor.rowcount)


def first(sql: str, values: Values) -> tuple[Any, ...] | None:
    """Return the first row of a statement, or None."""
    # Until its first row is fetched a statement keeps SQLite's lock.
    with connection.cursor() as cursor:
        cursor.execute(sql, _adapted(values))
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def alone(before: str, sql: str, values: Values) -> tuple[Any, ...] | None:
    """Run two statements as a transaction of their own, outside of any other, with one wait.

    Returns the first row of the second. PostgreSQL alone: what is sent up to its answer is one
    transaction there.
    """
    with connection.cursor() as first_one, connection.cursor() as second:
        with together():
            first_one.execute(before)
            second.execute(sql, _adapted(values))
        row: tuple[Any, ...] | None = second.fetchone()
    return row


def model(kind: type[M], sql: str, values: Values) -> M | None:
    """Return the one row of a statement that gives a model's `{columns}`, or None."""
    found = every(kind, sql, values)
    return found[0] if found else None


def every(kind: type[M], sql: str, values: Values) -> list[M]:
    """Return all rows of a statement that gives a model's `{columns}`."""
    return [made[0] for made in joined({"columns": kind}, sql, values)]


def joined(kinds: Mapping[str, type[models.Model]], sql: str, values: Values) -> list[list[Any]]:
    """Return one model of each kind for each row of a statement.

    It gives the columns of each by the alias of its table, in braces and in this order.
    """
    said, readings = _prepared(sql, tuple(kinds.items()), connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(said, _adapted(values))
        found: list[Sequence[Any]] = cursor.fetchall()
    return [[_made(reading, row) for reading in readings] for row in found]


@dataclass(frozen=True)
class _Reading:
    """How a model is made of a row: from which place on, its attributes, and what converts them."""

    kind: type[models.Model]
    start: int
    names: list[str]
    converters: dict[int, Converter]


def _made(reading: _Reading, row: Sequence[Any]) -> models.Model:
    values = list(row[reading.start : reading.start + len(reading.names)])
    for place, convert in reading.converters.items():
        values[place] = convert(values[place])
    return reading.kind.from_db("default", reading.names, values)


@cache
def _prepared(
    sql: str, kinds: tuple[tuple[str, type[models.Model]], ...], vendor: str
) -> tuple[str, list[_Reading]]:
    """Return a statement with its columns named, for a table may have more than this program knows."""
    columns: dict[str, str] = {}
    readings: list[_Reading] = []
    start = 0
    for alias, kind in kinds:
        fields = kind._meta.concrete_fields
        of = "" if alias == "columns" else f"{alias}."
        columns[alias] = ", ".join(
            f"{of}{connection.ops.quote_name(str(f.column))}" for f in fields
        )
        compiler = kind._default_manager.all().query.get_compiler("default")
        stock = compiler.get_converters([field.get_col(kind._meta.db_table) for field in fields])
        converters = {place: _chain(*found) for place, found in stock.items()}
        readings.append(_Reading(kind, start, [field.attname for field in fields], converters))
        start += len(fields)
    return sql.format(**columns), readings


def _chain(converters: Sequence[Any], expression: Any) -> Converter:
    """Return Django's converters of one column as one function."""

    def convert(value: Any) -> Any:
        for one in converters:
            value = one(value, expression, connection)
        return value

    return convert


def _adapted(values: Values) -> dict[str, Any]:
    """Return the values as the database stores them: SQLite keeps times as text in UTC."""
    adapt = connection.ops.adapt_datetimefield_value
    return {
        name: adapt(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
