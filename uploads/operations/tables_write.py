"""Tables into files: CSV, Parquet, NDJSON, JSON, Excel, SQLite; each is counted again before it counts."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from uploads.errors import InputError, StepError
from uploads.operations.duck import BUFFER_BYTES, LONGEST_LINE, Duck, Span, name, text, within
from uploads.operations.tables_given import Table
from uploads.operations.tables_heading import unique
from uploads.operations.tables_sqlite import sqlite_name

Format = Literal["parquet", "csv", "ndjson", "json", "xlsx", "sqlite"]
Compression = Literal["none", "gzip", "zstd"]
PACKED: dict[Compression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}

SUFFIXES: dict[Format, str] = {
    "parquet": ".parquet",
    "csv": ".csv",
    "ndjson": ".ndjson",
    "json": ".json",
    "xlsx": ".xlsx",
    "sqlite": ".sqlite",
}
TOGETHER: frozenset[Format] = frozenset({"xlsx", "sqlite"})
SHEET_ROWS, SHEET_COLUMNS = 1_048_575, 16_384  # beside the row of titles
CELL_LETTERS = 32_767
EXACT_DIGITS = 15
EXACT: int = 10**EXACT_DIGITS
WHOLE = re.compile("U?(TINY|SMALL|BIG)?INT(EGER)?|INTEGER")
DECIMAL = re.compile(r"DECIMAL\((\d+),")
LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001 - the same bytes each time, and no zone in Excel


@dataclass(frozen=True)
class Writing:
    """How tables are written."""

    format: Format
    separator: str = ","
    header: bool = True
    compression: Compression = "none"


def write(table: Table, target: Path, writing: Writing, duck: Duck, span: Span) -> None:
    """Write one table into a file of its own; Parquet that is there already is only moved."""
    if writing.format == "parquet" and table.path.parent == duck.folder:
        table.path.rename(target)
    else:
        chosen = ", ".join(_held(name(c), kind, writing.format) for c, kind in table.columns)
        sql = f"COPY (SELECT {chosen} FROM {table.source}) TO {text(target)} {_form(writing)}"
        count = duck.one(sql, within(span, 0, 0.8), "writing")
        _check(count, table, duck)
    count = duck.one(f"SELECT count(*) FROM {reading(target, writing)}", span, "checking")
    _check(count, table, duck)


def _form(writing: Writing) -> str:
    packed = f", COMPRESSION {writing.compression}"
    return {
        "parquet": "(FORMAT parquet, COMPRESSION zstd)",
        "csv": f"(FORMAT csv, HEADER {str(writing.header).lower()}, "
        f"DELIMITER {text(writing.separator)}{packed})",
        "ndjson": f"(FORMAT json{packed})",
        "json": f"(FORMAT json, ARRAY true{packed})",
    }[writing.format]


def reading(target: Path, writing: Writing) -> str:
    """Return the expression that reads what was written, without looking for types."""
    if writing.format == "parquet":
        return f"read_parquet({text(target)})"
    if writing.format in {"ndjson", "json"}:
        form = "newline_delimited" if writing.format == "ndjson" else "array"
        return f"read_json_objects({text(target)}, format = '{form}', maximum_object_size = {LONGEST_LINE})"
    return (
        f"read_csv({text(target)}, all_varchar = true, delim = {text(writing.separator)}, "
        f"header = {str(writing.header).lower()}, quote = '\"', escape = '\"', new_line = '\\n', "
        f"max_line_size = {LONGEST_LINE}, buffer_size = {BUFFER_BYTES})"
    )


def _check(count: int, table: Table, duck: Duck) -> None:
    if count != table.rows:
        reason = f"{count:,} rows instead of {table.rows:,}."
        raise StepError("verification_failed", name=duck.step.name, reason=reason)


def _held(column: str, kind: str, form: Format) -> str:
    """Return a column for SQL as a format holds it: CSV no lists or objects, JSON no NaN or infinity."""
    if form == "csv" and _nested(kind):
        return f"to_json({column})::VARCHAR AS {column}"
    if form in {"ndjson", "json"} and kind in {"DOUBLE", "FLOAT"}:
        return f"CASE WHEN isfinite({column}) THEN {column} END AS {column}"
    return column


def _nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "VARIANT"))


# --- many tables in one file ---------------------------------------------------------


def write_together(
    tables: Sequence[tuple[str, Table]], target: Path, writing: Writing, duck: Duck, span: Span
) -> None:
    """Write named tables into one Excel or SQLite file."""
    writers = {"xlsx": _write_sheets, "sqlite": _write_database}
    writers[writing.format](tables, target, duck, span)


def _affinity(kind: str) -> str:
    """Return SQLite's type for a column; what floats would round (64 bits, long decimals) is text."""
    if kind == "BOOLEAN":
        return kind
    if WHOLE.fullmatch(kind) and kind != "UBIGINT":
        return "INTEGER"
    decimal = DECIMAL.match(kind)
    if kind in {"DOUBLE", "FLOAT"} or (decimal and int(decimal[1]) <= EXACT_DIGITS):
        return "REAL"
    return "TEXT"


def _plain(column: str, kind: str, *, days: bool) -> str:
    """Return a column for SQL in a type that Python's values and the target have."""
    quoted, affinity = name(column), _affinity(kind)
    if affinity in {"BOOLEAN", "INTEGER"} or kind == "DOUBLE":
        made = quoted
    elif affinity == "REAL":
        made = f"{quoted}::DOUBLE"
    elif kind.startswith("TIMESTAMP") and days:
        made = f"{quoted}::TIMESTAMP"
    elif kind == "DATE" and days:
        made = quoted
    elif _nested(kind):
        made = f"to_json({quoted})::VARCHAR"
    else:
        made = f"{quoted}::VARCHAR"
    return f"{made} AS {quoted}"


def _rows(table: Table, duck: Duck, span: Span, note: str, *, days: bool) -> Iterator[list[Any]]:
    """Return a table's rows a batch at a time, and tell how far they are."""
    columns = ", ".join(_plain(column, kind, days=days) for column, kind in table.columns)
    done = 0
    for rows in duck.batches(f"SELECT {columns} FROM {table.source}"):
        yield rows
        done += len(rows)
        duck.report(span[0] + (span[1] - span[0]) * done / max(1, table.rows), note)


def _spans(count: int, span: Span) -> list[Span]:
    return [within(span, number / count, (number + 1) / count) for number in range(count)]


def _write_database(
    tables: Sequence[tuple[str, Table]], target: Path, duck: Duck, span: Span
) -> None:
    with closing(sqlite3.connect(target)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        names = unique([sqlite_name(called) for called, _ in tables])
        shares = _spans(len(tables), span)
        for called, (_, table), share in zip(names, tables, shares, strict=True):
            columns = ", ".join(
                f"{name(column)} {_affinity(kind)}" for column, kind in table.columns
            )
            database.execute(f"CREATE TABLE {name(called)} ({columns})")
            marks = ", ".join("?" * len(table.columns))
            for rows in _rows(table, duck, share, "writing", days=False):
                database.executemany(f"INSERT INTO {name(called)} VALUES ({marks})", rows)
            count = database.execute(f"SELECT count(*) FROM {name(called)}").fetchone()[0]
            _check(count, table, duck)
        database.commit()


def _write_sheets(
    tables: Sequence[tuple[str, Table]], target: Path, duck: Duck, span: Span
) -> None:
    """Write each table on sheets of at most a million rows; nothing becomes a formula or a link."""
    with _workbook(target, duck) as book:
        taken: set[str] = set()
        for (called, table), share in zip(tables, _spans(len(tables), span), strict=True):
            if len(table.columns) > SHEET_COLUMNS:
                reason = f"Excel has at most {SHEET_COLUMNS:,} columns."
                raise InputError("table_too_large", name=duck.step.name, reason=reason)
            sheet = _Sheets(book, called, table, taken)
            for rows in _rows(table, duck, share, "writing", days=True):
                sheet.add(rows)
            _check(sheet.count, table, duck)
            if sheet.cut:
                duck.step.warn(
                    f"{sheet.cut:,} texts of “{called}” were cut: Excel's cells hold "
                    f"{CELL_LETTERS:,} letters."
                )


@contextmanager
def _workbook(target: Path, duck: Duck) -> Iterator[Any]:
    from xlsxwriter import workbook

    # It would set its temporary files' times, which a child may not, only to get equal bytes.
    vars(workbook)["os"] = SimpleNamespace(remove=os.remove, utime=lambda *_: None)
    vars(workbook)["ZipFile"] = SteadyZip
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
        "tmpdir": str(duck.folder),
        "default_date_format": "yyyy-mm-dd",
    }
    book = workbook.Workbook(str(target), options)
    book.set_properties({"created": LONG_AGO})
    book.use_zip64()
    yield book
    book.close()


class SteadyZip(ZipFile):
    """Gives every file in it the same time, so that equal tables make equal bytes."""

    def write(self, filename: Any, arcname: Any = None, *_: Any, **__: Any) -> None:
        entry = ZipInfo(str(arcname), (1980, 1, 1, 0, 0, 0))
        entry.compress_type = ZIP_DEFLATED
        entry.file_size = Path(filename).stat().st_size
        with Path(filename).open("rb") as source, self.open(entry, "w") as made:
            shutil.copyfileobj(source, made, 1024**2)


class _Sheets:
    """The sheets of one table: when one is full, the next begins with the titles again."""

    def __init__(self, book: Any, called: str, table: Table, taken: set[str]) -> None:
        self._book = book
        self._called = called
        self._columns = [column for column, _ in table.columns]
        self._taken = taken
        self._bold = book.add_format({"bold": True})
        self._moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._row = SHEET_ROWS + 1
        self._sheet: Any = None
        self.count = self.cut = 0
        self._next()

    def _next(self) -> None:
        self._sheet = self._book.add_worksheet(sheet_name(self._called, self._taken))
        self._sheet.freeze_panes(1, 0)
        self._sheet.write_row(0, 0, self._columns, self._bold)
        self._row = 1

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            if self._row > SHEET_ROWS:
                self._next()
            for place, value in enumerate(row):
                self._cell(place, value)
            self._row += 1
            self.count += 1

    def _cell(self, place: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, str):
            self.cut += len(value) > CELL_LETTERS
            self._sheet.write_string(self._row, place, value[:CELL_LETTERS])
        elif _beyond_excel(value):
            self._sheet.write_string(self._row, place, str(value))
        elif isinstance(value, datetime):
            self._sheet.write_datetime(self._row, place, value, self._moment)
        else:
            self._sheet.write(self._row, place, value)


def _beyond_excel(value: object) -> bool:
    """Tell whether Excel would change a value: its numbers have 15 digits, its days begin in 1900."""
    if isinstance(value, int):
        return abs(value) >= EXACT
    return isinstance(value, date) and bool(value.year < 1900)


def sheet_name(wanted: str, taken: set[str]) -> str:
    """Return a name that Excel takes: 31 letters, none of []:*?/\\, each once."""
    plain = re.sub(r"[\[\]:*?/\\]", " ", wanted).strip()[:31].strip("'") or "Sheet"
    candidate, count = plain, 1
    while candidate.casefold() in taken:
        count += 1
        candidate = f"{plain[: 31 - len(f' ({count})')]} ({count})"
    taken.add(candidate.casefold())
    return candidate
