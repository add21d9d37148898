"""What is said of tables while they are worked on: the file given, how to read it, what it holds."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from uploads.operations.duck import text

Columns = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Given:
    """One file: its path here, its owner's name for it, its media type.

    What is made for it begins with `label`.
    """

    path: Path
    name: str
    media_type: str
    label: str = "source"


@dataclass(frozen=True)
class Reading:
    """How texts are read where they do not say it themselves; `packing` is that of the Parquet.

    Columns of a CSV whose names (in small letters) are among `texts` stay as they are written,
    all of them for `None`.
    """

    separator: str = ""
    header: Literal["auto", "yes", "no"] = "auto"
    keep_odd: bool = True
    packing: Literal["zstd", "snappy"] = "zstd"
    texts: frozenset[str] | None = frozenset()

    def as_written(self, column: str) -> bool:
        """Tell whether a column stays as it is written."""
        return self.texts is None or column.casefold() in self.texts


@dataclass(frozen=True)
class Table:
    """One table as Parquet; `name` is that of a sheet or of a database's table, else empty.

    `rejects` is a CSV of the rows that could not be read, if there are any.
    """

    name: str
    path: Path
    rows: int
    columns: Columns
    rejected: int = 0
    rejects: Path | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def source(self) -> str:
        """Return what SQL reads it by."""
        return f"read_parquet({text(self.path)})"


def table_name(stem: str, reserved: set[str] | frozenset[str] = frozenset()) -> str:
    """Return a file's name as a name in SQL that needs no quotation marks."""
    plain = re.sub(r"\W+", "_", stem).strip("_")[:60] or "table"
    if plain[0].isdigit():
        plain = f"t_{plain}"
    return f"{plain}_table" if plain.casefold() in reserved else plain
