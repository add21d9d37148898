"""Rows of tables chosen and counted: a table as another one, of some columns, in its order."""

from collections.abc import Sequence

from uploads.errors import InputError, StepError
from uploads.operations.duck import Duck, Span, name, text
from uploads.operations.tables_given import Table

PLACE = "tidemill place"


def numbered(table: Table) -> str:
    """Return what SQL reads a table by, with each row's place from 1 on as a last column."""
    return f"(SELECT *, row_number() OVER () AS {name(PLACE)} FROM {table.source})"


def kept(
    duck: Duck, label: str, rows: str, span: Span, note: str, expected: int | None = None
) -> Table:
    """Write what a SELECT says as a table of its own; raises `StepError` for another count."""
    target = duck.path(f"{label}.parquet")
    asking = f"COPY ({rows}) TO {text(target)} (FORMAT parquet, COMPRESSION zstd)"
    count = int(duck.one(asking, span, note))
    if expected is not None and count != expected:
        reason = f"{count:,} rows instead of {expected:,}."
        raise StepError("verification_failed", name=duck.step.name, reason=reason)
    return Table("", target, count, tuple(duck.columns(f"read_parquet({text(target)})")))


def listed(columns: Sequence[tuple[str, str]]) -> str:
    """Return columns as SQL lists them."""
    return ", ".join(name(column) for column, _ in columns)


def free(wanted: str, table: Table) -> str:
    """Return a column's name that no column of the table has."""
    taken, made, count = {column.casefold() for column, _ in table.columns}, wanted, 1
    while made.casefold() in taken:
        count += 1
        made = f"{wanted}_{count}"
    return made


def columns_named(wanted: str, table: Table, file: str) -> list[str]:
    """Return a table's columns that a text names, divided by commas; raises `InputError`.

    A column whose own name has a comma is meant where the text is its name.
    """
    known = {column.casefold(): column for column, _ in table.columns}
    if found := known.get(wanted.strip().casefold()):
        return [found]
    named = [word.strip() for word in wanted.split(",") if word.strip()]
    for word in named:
        if word.casefold() not in known:
            raise no_column(word, table, file)
    return list(dict.fromkeys(known[word.casefold()] for word in named))


def no_column(wanted: str, table: Table, file: str) -> InputError:
    """Return the error that says which columns there are instead."""
    some = [f"“{column}”" for column, _ in table.columns[:12]]
    more = ["…"] if len(table.columns) > len(some) else []
    return InputError("no_column", name=file, column=wanted, known=", ".join([*some, *more]))
