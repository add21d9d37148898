"""The operation `data.thin`: fewer rows of a table; `data_thin_make` does the work."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.data import FORMATS, MIB, TABLES, memory_bytes
from uploads.operations.options import option


@dataclass(frozen=True)
class ThinTable:
    """Which rows count as there twice, and how many of the rest stay."""

    duplicates: Literal["drop", "keep"] = option(
        "drop",
        "The rows that are dropped are listed in a file of their own.",
        choices={"drop": "Drop them", "keep": "Keep them"},
    )
    columns: str = option(
        "",
        "Rows that agree in these are duplicates, such as “email” or “name, city”; empty: in all.",
        label="Columns that count",
        max_length=1000,
        main=True,
    )
    loosely: bool = option(
        default=False, help="Capitals and spaces around a text make no difference."
    )
    stays: Literal["first", "last"] = option(
        "first", "Of duplicates.", choices={"first": "The first row", "last": "The last row"}
    )
    sample: Literal["all", "rows", "percent"] = option(
        "all",
        "Chosen by chance, the same ones each time, in their order.",
        choices={"all": "All of them", "rows": "So many rows", "percent": "So many of a hundred"},
        label="Then take",
    )
    rows: int = option(1000, "Of a sample.", min=1, max=1_000_000_000, unit="rows")
    percent: float = option(10.0, "Of a sample.", min=0.001, max=100, unit="%")
    format: Literal["csv", "parquet", "xlsx", "ndjson"] = option(
        "csv", "Format of the table.", choices=FORMATS
    )


PRESETS = (
    Preset("unique", "Each row once", "The first one of equal rows stays.", {}),
    Preset("loosely", "Each row once, written one way or another", "“ANN ” is “Ann”.", {"loosely": True}),
    Preset("sample", "A sample of 1,000 rows", "By chance, the same ones each time.", {"duplicates": "keep", "sample": "rows"}),
    Preset("tenth", "A tenth of the rows", "By chance, the same ones each time.", {"duplicates": "keep", "sample": "percent"}),
)  # fmt: skip


@operation(
    "data.thin",
    label="Drop duplicate rows, take samples",
    version=2,
    accepts=TABLES,
    options=ThinTable,
    presets=PRESETS,
    seconds=lambda size: 0.5 + size / 25e6,
    needs_memory=memory_bytes,
    needs_disk=lambda size: 16 * MIB + 10 * size,
)
def thin(source: Path, step: Context[ThinTable]) -> Iterator[Output]:
    """Drop rows that are there twice, by all columns or some, or take a sample of the rows."""
    from uploads.operations import data_thin_make

    yield from data_thin_make.thin(source, step)
