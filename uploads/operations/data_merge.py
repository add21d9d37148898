"""The operation `data.merge`: tables of several files become one; `data_merge_make` does the work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.data import FORMATS, MIB, TABLES, memory_bytes
from uploads.operations.options import option


@dataclass(frozen=True)
class MergeTables:
    """Which columns the one table has, and what becomes of rows that are there twice."""

    columns: Literal["all", "common", "same"] = option(
        "all",
        "Columns of one name are one, whatever their order and capitals.",
        choices={
            "all": "All: empty where a file has none of that name",
            "common": "Only those that every file has",
            "same": "They must be the same in all files",
        },
    )
    origin: bool = option(default=False, help="A last column says which file a row came from.")
    duplicates: Literal["keep", "drop"] = option(
        "keep",
        "Rows that are equal in every column; the first one stays.",
        choices={"keep": "Keep them", "drop": "Drop them"},
    )
    format: Literal["csv", "parquet", "xlsx", "ndjson"] = option(
        "csv", "Format of the one table.", choices=FORMATS
    )


PRESETS = (
    Preset("csv", "One table", "All rows of all files, one after another.", {}),
    Preset("unique", "One table, each row once", "Equal rows are dropped.", {"duplicates": "drop"}),
    Preset("origin", "One table that says where from", "With a column for the file's name.", {"origin": True}),
    Preset("xlsx", "One Excel sheet", "All rows of all files and sheets.", {"format": "xlsx"}),
)  # fmt: skip


@operation(
    "data.merge",
    label="Merge tables",
    version=2,
    accepts=TABLES,
    options=MergeTables,
    takes="all",
    presets=PRESETS,
    seconds=lambda size: 0.5 + size / 35e6,
    needs_memory=memory_bytes,
    needs_disk=lambda size: 16 * MIB + 8 * size,
)
def merge(sources: Sequence[Path], step: Context[MergeTables]) -> Iterator[Output]:
    """Merge tables of several files into one: columns are matched by name, types are kept."""
    from uploads.operations import data_merge_make

    yield from data_merge_make.merge(sources, step)
