"""Tables out of files: each sheet, each table of a database, each text becomes one Parquet file.

Rows that can't be read go to a file of their own with line and reason; the others go on.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from uploads.errors import InputError
from uploads.naming import own_name
from uploads.operations import tables_json, tables_sheets, tables_sqlite, tables_text
from uploads.operations.base import Output
from uploads.operations.duck import Duck, QueryError, Span, first_line, text, within
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_packed import unpacked
from uploads.packed import SUFFIXES

UNPACKING = 0.15  # of the progress
OURS = re.compile(r'"[^"]*/work/[^"/]*"')  # a copy that was made on the way
Kind = Literal["csv", "json", "ndjson", "parquet", "sheets", "sqlite"]

KINDS: dict[str, Kind] = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "sheets",
    "application/vnd.oasis.opendocument.spreadsheet": "sheets",
    "application/vnd.ms-excel": "sheets",
    "application/vnd.sqlite3": "sqlite",
}


def read(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    """Return the tables of a file, with rows; raises `InputError` for what is none."""
    if given.media_type.endswith(SUFFIXES) and given.path.stat().st_size:
        inside = unpacked(given, duck, within(span, 0, UNPACKING))
        try:
            return read(inside, duck, within(span, UNPACKING, 1), reading)
        finally:
            inside.path.unlink()
    kind = KINDS.get(given.media_type)
    if given.path.stat().st_size == 0:
        raise InputError("empty_file", name=given.name)
    if kind is None:
        raise InputError("not_a_table", name=given.name, reason="it is another kind of file.")
    readers: dict[Kind, Callable[[Given, Duck, Span, Reading], list[Table]]] = {
        "csv": tables_text.read_csv,
        "json": tables_json.read_json,
        "ndjson": tables_json.read_json,
        "parquet": _parquet,
        "sheets": tables_sheets.read_sheets,
        "sqlite": tables_sqlite.read_database,
    }
    with told_of(given):
        found = readers[kind](given, duck, span, reading)
    most = duck.step.limits.table_max_columns
    for table in found:
        if len(table.columns) > most:
            reason = f"it has {len(table.columns):,} columns; at most {most:,} are allowed."
            raise InputError("table_too_large", name=given.name, reason=reason)
        if table.rejected and not table.rows:
            raise InputError("table_damaged", name=given.name, reason="none of its rows fit.")
    if not found:
        raise InputError("not_a_table", name=given.name, reason="nothing is in it.")
    return found


@contextmanager
def told_of(given: Given) -> Iterator[None]:
    """Let what DuckDB can't read be the file's fault: Parquet tells only when its rows are read."""
    try:
        yield
    except QueryError as error:
        reason = plain(error.reason, given)
        raise InputError("table_damaged", name=given.name, reason=reason) from error


def plain(reason: str, given: Given) -> str:
    """Return DuckDB's reason without paths of ours and without advice to programmers."""
    line = OURS.sub(f'"{given.name}"', first_line(reason))
    for path in (given.path, given.path.parent):
        line = line.replace(str(path), given.name)
    return line[:300]


def _parquet(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    source = f"read_parquet({text(given.path)})"
    rows = duck.one(f"SELECT count(*) FROM {source}", span, "reading")
    return [Table("", given.path, rows, tuple(duck.columns(source)))]


def rejects(given: Given, duck: Duck, tables: list[Table]) -> Iterator[Output]:
    """Hand out what could not be read of a file, and warn of it."""
    for table in tables:
        if table.rejects is None:
            continue
        count = table.rejected
        rows = "1 row" if count == 1 else f"{count:,} rows"
        stem = own_name(given.name) if given.label == "source" else given.label
        duck.step.warn(
            f"{rows} of {given.name} could not be read; "
            f"{'it is' if count == 1 else 'they are'} in {stem}-rejected.csv."
        )
        target = duck.step.path(f"{given.label}-rejected.csv")
        table.rejects.rename(target)
        yield Output(target, role="report", meta={"rows": count})
