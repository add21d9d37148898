"""Sheets of Excel and OpenDocument into Parquet, with the limits that keep them in memory."""

import re
import zipfile
import zlib
from dataclasses import replace
from datetime import datetime, time
from itertools import chain, islice
from typing import IO, Any

from uploads.errors import InputError
from uploads.operations.duck import Duck, Span, within
from uploads.operations.tables_above import note_on
from uploads.operations.tables_cells import cell_of, write_parquet
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_heading import names_times, titles_above, unique

SHEET_FILE = re.compile(r"xl/worksheets/[^/]+\.xml")
CELL = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"')
ADDRESS_BYTES = 20
PIECE_BYTES = 1024**2
TOP_ROWS = 12
UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError)


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
    ahead = list(islice(filled, TOP_ROWS))
    if not ahead:
        return None
    shown = [["" if cell is None else _shown(cell) for cell in row] for row in ahead]
    above = titles_above(shown) if reading.header == "auto" else 0
    first, *body = ahead[above:]
    named = all(isinstance(cell, str) for cell in first if cell is not None)
    if not named and body:
        named = names_times(shown[above], shown[above + 1])
    titled = reading.header == "yes" or (reading.header == "auto" and named and bool(body))
    columns = unique([_title(cell, place) for place, cell in enumerate(first, start=1)], titled)
    rows = chain(body if titled else [first, *body], filled)
    table = write_parquet(label, sheet, columns, rows, duck, span, cells.height)
    note = note_on([" ".join(row) for row in shown[:above]])
    return replace(table, notes=(note,) if note else ())


def _title(cell: Any, place: int) -> str:
    return _shown(cell).strip() if cell is not None else f"column_{place}"


def _shown(cell: Any) -> str:
    """Return a cell as a name has it: 2024 for the number, the day for its midnight."""
    if isinstance(cell, datetime) and cell.time() == time():
        cell = cell.date()
    shown = cell_of(cell)[1]
    return str(cell) if isinstance(cell, str) else shown
