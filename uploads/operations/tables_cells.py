"""Sheets and databases into Parquet: every table of them, cell by cell, types by what is there."""

import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import chain
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote as url_quote

from uploads.errors import InputError
from uploads.operations.duck import BUFFER_BYTES, LONGEST_LINE, Duck, Span, name, text, within
from uploads.operations.tables_given import Given, Reading, Table

TOLD_EACH = 2000
SHEET_FILE = re.compile(r"xl/worksheets/[^/]+\.xml")
CELL = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"')
ADDRESS_BYTES = 20
PIECE_BYTES = 1024**2
SURE = 2**53  # whole numbers up to this are exact in a float
MOST = 2**63
UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError)
TYPES: tuple[tuple[set[str], str], ...] = (
    ({"boolean"}, "BOOLEAN"),
    ({"whole", "long"}, "BIGINT"),
    ({"whole", "number"}, "DOUBLE"),
    ({"day"}, "DATE"),
    ({"day", "moment"}, "TIMESTAMP"),
    ({"time"}, "TIME"),
)


@dataclass
class Cells:
    """Writes rows of Python values as CSV and learns which type each column has."""

    path: Path
    columns: Sequence[str]
    rows: int = 0
    kinds: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kinds = [set() for _ in self.columns]

    def write(self, rows: Iterable[Sequence[Any]]) -> Iterator[int]:
        """Write all rows; says now and then how many there are so far."""
        with self.path.open("w", encoding="utf-8", newline="") as file:
            for row in rows:
                cells = []
                for kinds, value in zip(self.kinds, row, strict=False):
                    kind, cell = cell_of(value)
                    kinds.add(kind)
                    cells.append(cell)
                cells += [""] * (len(self.columns) - len(cells))
                file.write(",".join(cells) + "\n")
                self.rows += 1
                if self.rows % TOLD_EACH == 0:
                    yield self.rows
        yield self.rows

    def source(self) -> str:
        """Return the expression that reads them."""
        types = ", ".join(
            f"{text(column)}: '{type_of(kinds)}'"
            for column, kinds in zip(self.columns, self.kinds, strict=True)
        )
        return (
            f"read_csv({text(self.path)}, auto_detect = false, header = false, delim = ',', "
            # Else the first line end decides, which may be one within a text.
            "new_line = '\\n', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, "
            f"max_line_size = {LONGEST_LINE}, buffer_size = {BUFFER_BYTES}, columns = {{{types}}})"
        )


def cell_of(value: Any) -> tuple[str, str]:
    """Return the kind of a value and how CSV has it; nothing at all has no kind."""
    if value is None:
        return "", ""
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, int):
        if -SURE <= value <= SURE:
            return "whole", str(value)
        return ("long" if -MOST <= value < MOST else "text"), str(value)
    if isinstance(value, float):
        if value.is_integer() and abs(value) < SURE:
            return "whole", str(int(value))
        return "number", repr(value)
    if isinstance(value, datetime):
        return "moment", value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, date):
        return "day", value.isoformat()
    if isinstance(value, time):
        return "time", value.isoformat()
    shown = value.hex() if isinstance(value, bytes) else str(value)
    return "text", '"' + shown.replace('"', '""').replace("\0", "\ufffd") + '"'


def type_of(kinds: set[str]) -> str:
    seen = kinds - {""}
    if not seen:
        return "VARCHAR"
    return next((made for fitting, made in TYPES if seen <= fitting), "VARCHAR")


def _parquet(
    label: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]],
    duck: Duck, span: Span, total: int,
) -> Table:  # fmt: skip
    """Write one table as Parquet by way of CSV."""
    cells = Cells(duck.path(f"{label}.cells"), columns)
    begin, end = within(span, 0, 0.8)
    for done in cells.write(rows):
        duck.report(begin + (end - begin) * min(1.0, done / max(1, total)), f"reading {table}")
    target = duck.path(f"{label}.parquet")
    written = duck.one(
        f"COPY (FROM {cells.source()}) TO {text(target)} (FORMAT parquet, COMPRESSION zstd)",
        within(span, 0.8, 1),
        f"reading {table}",
    )
    cells.path.unlink()
    if written != cells.rows:
        raise InputError("table_damaged", name=duck.step.name, reason=f"{table} came out cut off.")
    made = tuple(duck.columns(f"read_parquet({text(target)})"))
    return Table(table, target, cells.rows, made)


# --- sheets ------------------------------------------------------------------------


def read_sheets(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    """Return each sheet that has something in it; its first row of texts names the columns."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

    try:
        _refuse_large(given, duck)
        _refuse_wide_apart(given, duck)
        with given.path.open("rb") as file:  # not by its path: the kind is found by the content
            book = CalamineWorkbook.from_filelike(file)
        names = [s.name for s in book.sheets_metadata if s.typ == SheetTypeEnum.WorkSheet]
        made = []
        for number, sheet in enumerate(names):
            share = within(span, number / len(names), (number + 1) / len(names))
            duck.report(share[0], f"reading {sheet}")
            cells = book.get_sheet_by_name(sheet)
            label = f"{given.label}-{number + 1}"
            if table := _sheet(label, sheet, cells, duck, share, reading):
                made.append(table)
    except (CalamineError, *UNREADABLE) as error:
        reason = str(error).strip().partition("\n")[0][:200] or "it is damaged."
        raise InputError("table_damaged", name=given.name, reason=reason) from error
    return made


def _refuse_large(given: Given, duck: Duck) -> None:
    """Refuse what would not fit into memory once it is unpacked."""
    size = given.path.stat().st_size
    if zipfile.is_zipfile(given.path):
        with zipfile.ZipFile(given.path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    most = duck.step.limits.sheet_max_bytes
    if size > most:
        reason = f"it has {size / 1e6:,.0f} MB unpacked; {most / 1e6:,.0f} MB are allowed."
        raise InputError("table_too_large", name=given.name, reason=reason)


def _refuse_wide_apart(given: Given, duck: Duck) -> None:
    """Refuse an Excel sheet with a cell far from the others: it is read as a whole rectangle."""
    if not zipfile.is_zipfile(given.path):
        return
    most = duck.step.limits.sheet_max_cells
    with zipfile.ZipFile(given.path) as archive:
        for entry in archive.infolist():
            if not SHEET_FILE.fullmatch(entry.filename):
                continue
            with archive.open(entry) as file:
                rows, columns = _extent(file)
            if rows * columns > most:
                reason = f"its cells span {rows:,} rows and {columns:,} columns; {most:,} cells are allowed."
                raise InputError("table_too_large", name=given.name, reason=reason)


def _extent(file: IO[bytes]) -> tuple[int, int]:
    """Return how many rows and columns a sheet's cells span, by their addresses."""
    rows = columns = 0
    rest = b""
    while piece := file.read(PIECE_BYTES):
        seen = rest + piece
        for letters, digits in CELL.findall(seen):
            rows = max(rows, int(digits))
            place = 0
            for letter in letters:
                place = place * 26 + letter - 64
            columns = max(columns, place)
        rest = seen[-ADDRESS_BYTES:]
    return rows, columns


def _sheet(
    label: str, sheet: str, cells: Any, duck: Duck, span: Span, reading: Reading
) -> Table | None:
    """Return a sheet's table, or None when nothing is in it."""
    filled = (
        [None if cell == "" else cell for cell in row]
        for row in cells.iter_rows()
        if any(cell != "" for cell in row)
    )
    first = next(filled, None)
    if first is None:
        return None
    ahead = [row for row in [next(filled, None)] if row is not None]
    named = all(isinstance(cell, str) for cell in first if cell is not None)
    titled = reading.header == "yes" or (reading.header == "auto" and named and bool(ahead))
    columns = unique([_title(cell, place) for place, cell in enumerate(first, start=1)], titled)
    body = ahead if titled else [first, *ahead]
    return _parquet(label, sheet, columns, chain(body, filled), duck, span, cells.height)


def _title(cell: Any, place: int) -> str:
    return str(cell).strip() if cell is not None else f"column_{place}"


def unique(names: Sequence[str], titled: bool = True) -> list[str]:
    """Return column names that differ, also without regard to case; numbers where nothing is titled."""
    if not titled:
        return [f"column_{place}" for place in range(1, len(names) + 1)]
    taken: set[str] = set()
    made = []
    for wanted in names:
        candidate, count = wanted or "column", 1
        while candidate.casefold() in taken:
            count += 1
            candidate = f"{wanted or 'column'}_{count}"
        taken.add(candidate.casefold())
        made.append(candidate)
    return made


def sqlite_name(called: str) -> str:
    """Return a name that SQLite lets a table have."""
    return f"t_{called}" if called.casefold().startswith("sqlite_") else called


# --- databases ---------------------------------------------------------------------


def read_database(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    """Return each table of an SQLite file that holds rows of its own; nothing in it is run."""
    address = f"file:{url_quote(str(given.path))}?mode=ro&immutable=1"
    database = sqlite3.connect(address, uri=True)
    database.text_factory = lambda raw: raw.decode(errors="replace")
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        names = _tables(database)
        made = []
        for number, table in enumerate(names):
            share = within(span, number / len(names), (number + 1) / len(names))
            cursor = database.execute(f"SELECT * FROM {name(table)}")
            columns = unique([column[0] for column in cursor.description])
            label = f"{given.label}-{number + 1}"
            rows = _parquet(label, table, columns, cursor, duck, share, _count(database, table))
            made.append(rows)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter of a column's name
        raise InputError("table_damaged", name=given.name, reason=f"{error}.") from error
    finally:
        database.close()
    return made


def _tables(database: sqlite3.Connection) -> list[str]:
    found = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' "
        "ESCAPE '~' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    )
    return [row[0] for row in found]


def _count(database: sqlite3.Connection, table: str) -> int:
    """Return about how many rows a table has, in a moment."""
    try:
        found = database.execute(f"SELECT max(rowid) FROM {name(table)}").fetchone()[0]
    except sqlite3.Error:  # a table without row numbers
        found = ""
    if found is None or isinstance(found, int):
        return found or 0
    # Also where a column of its own is called `rowid`.
    return int(database.execute(f"SELECT count(*) FROM {name(table)}").fetchone()[0])
