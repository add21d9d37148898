"""Rows of cells into Parquet: every value as it was, types by what is there."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from uploads.errors import InputError
from uploads.operations.duck import BUFFER_BYTES, LONGEST_LINE, Duck, Span, text, within
from uploads.operations.tables_given import Table

TOLD_EACH = 2000
SURE = 2**53  # whole numbers up to this are exact in a float
MOST = 2**63
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
    if isinstance(value, timedelta):
        return "text", _hours(value)
    shown = value.hex() if isinstance(value, bytes) else str(value)
    return "text", '"' + shown.replace('"', '""').replace("\0", "\ufffd") + '"'


def _hours(value: timedelta) -> str:
    """Return a length of time as a sheet shows it: 36:00:00."""
    seconds = round(abs(value.total_seconds()))
    sign = "-" if value < timedelta(0) else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def type_of(kinds: set[str]) -> str:
    seen = kinds - {""}
    if not seen:
        return "VARCHAR"
    return next((made for fitting, made in TYPES if seen <= fitting), "VARCHAR")


def write_parquet(
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
