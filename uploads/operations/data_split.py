"""The operation `data.split`: one table becomes several files; `data_split_make` does the work."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.errors import RequestError
from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.data import FORMATS, MIB, TABLES, memory_bytes
from uploads.operations.options import option


@dataclass(frozen=True)
class SplitTable:
    """Where a table is divided."""

    by: Literal["rows", "column"] = option(
        "rows",
        "Every file begins with the columns' names.",
        label="Divide it",
        choices={"rows": "After so many rows", "column": "By the values of a column"},
    )
    rows: int = option(
        100_000, "In each file but the last one.", min=1, max=100_000_000, unit="rows", main=True
    )
    column: str = option(
        "",
        "A file for each of its values, such as for each country.",
        label="Column",
        max_length=100,
        main=True,
    )
    format: Literal["csv", "parquet", "xlsx", "ndjson"] = option(
        "csv", "Format of the files.", choices=FORMATS
    )

    def __post_init__(self) -> None:
        if self.by == "column" and not self.column.strip():
            reason = "The column to divide by is needed."
            raise RequestError("invalid_options", reason=reason, field="column")


PRESETS = (
    Preset("rows", "Files of so many rows", "In their order, numbered.", {}),
    Preset("sheets", "Excel files of so many rows", "For programs that open no larger ones.", {"format": "xlsx"}),
)  # fmt: skip


@operation(
    "data.split",
    label="Split tables",
    version=2,
    accepts=TABLES,
    options=SplitTable,
    presets=PRESETS,
    seconds=lambda size: 0.5 + size / 25e6,
    needs_memory=memory_bytes,
    needs_disk=lambda size: 16 * MIB + 8 * size,
)
def split(source: Path, step: Context[SplitTable]) -> Iterator[Output]:
    """Split tables into files: so many rows each, or one file for each value of a column."""
    from uploads.operations import data_split_make

    yield from data_split_make.split(source, step)
