"""The operations on tables: `data.convert` here; it knows options and presets, no table.

`tables` reads and `tables_write` writes, imported when there is work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option
from uploads.sniff import PACKED_TABLES

MIB, GIB = 1024**2, 1024**3
TABLES = (
    "text/csv",
    "text/tab-separated-values",
    "application/json",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.ms-excel",
    "application/vnd.sqlite3",
    *PACKED_TABLES,
)
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
FORMATS = {"csv": "CSV", "parquet": "Parquet", "xlsx": "Excel", "ndjson": "NDJSON"}
WORDS = {"comma": "Comma", "semicolon": "Semicolon", "tab": "Tab", "pipe": "Vertical bar"}


def memory_bytes(size: int) -> int:
    """Return what reading and asking take: columns grow in memory, then the disk is used."""
    return 200 * MIB + min(6 * size, 760 * MIB)


@dataclass(frozen=True)
class ConvertTables:
    """Which format the tables get, and how texts are read and written."""

    format: Literal["parquet", "csv", "ndjson", "json", "xlsx", "sqlite"] = option(
        "parquet",
        "Excel and SQLite take all sheets or tables of a file in one; the others get a file each.",
        choices={
            "parquet": "Parquet",
            "csv": "CSV",
            "ndjson": "NDJSON, an object a line",
            "json": "JSON, one array",
            "xlsx": "Excel (XLSX)",
            "sqlite": "SQLite database",
        },
    )
    separator: Literal["comma", "semicolon", "tab", "pipe"] = option(
        "comma", "Between the values of a CSV that is written.", choices=WORDS
    )
    header: bool = option(
        default=True, help="A CSV that is written begins with the columns' names."
    )
    compression: Literal["none", "gzip", "zstd"] = option(
        "none",
        "Of CSV and JSON; Parquet is compressed always (zstd).",
        choices={"none": "None", "gzip": "gzip (.gz)", "zstd": "zstd (.zst)"},
    )
    read_separator: Literal["auto", "comma", "semicolon", "tab", "pipe"] = option(
        "auto",
        "Of a CSV that is read.",
        label="Separator of the source",
        choices={"auto": "Find out", **WORDS},
    )
    read_header: Literal["auto", "yes", "no"] = option(
        "auto",
        "Whether the first row of the source names the columns.",
        label="First row of the source",
        choices={"auto": "Find out", "yes": "Names the columns", "no": "Is data"},
    )
    odd_values: Literal["text", "reject"] = option(
        "text",
        "What happens when a value further down is no number or date as those before it.",
        label="Values of another type",
        choices={"text": "The column becomes text", "reject": "The row is rejected"},
    )


CONVERT_PRESETS = (
    Preset("parquet", "Parquet", "Small, and ten times faster to ask.", {}),
    Preset("csv", "CSV", "With commas and a row of names, in UTF-8.", {"format": "csv"}),
    Preset(
        "csv_europe",
        "CSV with semicolons",
        "As Excel expects it where the comma is a decimal sign.",
        {"format": "csv", "separator": "semicolon"},
    ),
    Preset("xlsx", "Excel", "A workbook; a sheet for each table.", {"format": "xlsx"}),
    Preset("ndjson", "NDJSON", "An object a line, for programs.", {"format": "ndjson"}),
    Preset("sqlite", "SQLite", "A database in one file.", {"format": "sqlite"}),
)


@operation(
    "data.convert",
    label="Convert tables",
    version=2,
    accepts=TABLES,
    options=ConvertTables,
    presets=CONVERT_PRESETS,
    seconds=lambda size: 0.4 + size / 40e6,
    needs_memory=memory_bytes,
    # A copy in UTF-8, Parquet on the way, and JSON repeats every name in every row.
    needs_disk=lambda size: 8 * MIB + 6 * size,
)
def convert(source: Path, step: Context[ConvertTables]) -> Iterator[Output]:
    """Convert tables: CSV, JSON, Parquet, Excel, SQLite; dialect, encoding and types are found out."""
    from uploads.operations import tables_convert

    yield from tables_convert.convert(source, step)
