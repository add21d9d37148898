"""Rows by plain statements: for what every step does, where the ORM costs ten times the statement.

Everything rare is said in the ORM. It knows no table; a caller's statement is its own.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)

Values = Mapping[str, Any]
Converter = Callable[[Any], Any]


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


def model(kind: type[M], sql: str, values: Values) -> M | None:
    """Return the one row of a statement that gives a model's columns, or None."""
    found = every(kind, sql, values)
    return found[0] if found else None


def every(kind: type[M], sql: str, values: Values) -> list[M]:
    """Return all rows of a statement that gives a model's columns; others are left out."""
    return [made[0] for made in joined((kind,), sql, values)]


def joined(kinds: Sequence[type[models.Model]], sql: str, values: Values) -> list[list[Any]]:
    """Return one model of each kind for each row; it gives all columns of the first, and so on."""
    with connection.cursor() as cursor:
        cursor.execute(sql, _adapted(values))
        found: list[Sequence[Any]] = cursor.fetchall()
        columns = tuple(column[0] for column in cursor.description)
    readings, start = [], 0
    for kind in kinds:  # a table has as many columns as its model has fields
        end = start + len(kind._meta.concrete_fields)
        readings.append((kind, *_reading(kind, columns[start:end], start, connection.vendor)))
        start = end
    return [[_made(*reading, row) for reading in readings] for row in found]


def _made(
    kind: type[M],
    names: list[str],
    places: list[int],
    converters: dict[int, Converter],
    row: Sequence[Any],
) -> M:
    values = [row[place] for place in places]
    for place, convert in converters.items():
        values[place] = convert(values[place])
    return kind.from_db("default", names, values)


@cache
def _reading(
    kind: type[models.Model], columns: tuple[str, ...], start: int, vendor: str
) -> tuple[list[str], list[int], dict[int, Converter]]:
    """Return a model's attributes in its own order, their places in a row, and how they are read."""
    fields = kind._meta.concrete_fields
    compiler = kind._default_manager.all().query.get_compiler("default")
    stock = compiler.get_converters([field.get_col(kind._meta.db_table) for field in fields])
    converters = {place: _chain(*found) for place, found in stock.items()}
    places = [start + columns.index(str(field.column)) for field in fields]
    return [field.attname for field in fields], places, converters


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
