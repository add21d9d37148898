"""The operation `data.profile`: what is in a table, told and drawn; it knows no database.

`profiling` counts and `profile_page` draws, imported when there is work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.data import MIB, TABLES, memory_bytes
from uploads.operations.options import option


@dataclass(frozen=True)
class Profile:
    """How closely a table is looked at."""

    values: int = option(
        8, "How many of the most frequent values are listed for each column.", min=0, max=50
    )
    keys: bool = option(
        default=True, help="Look whether columns that seem to be keys have a value twice."
    )


PRESETS = (
    Preset("all", "Everything", "Types, gaps, ranges, frequent values, what looks odd.", {}),
    Preset("quick", "Quick", "Without frequent values and keys.", {"values": 0, "keys": False}),
)


@operation(
    "data.profile",
    label="Look into tables",
    version=2,
    accepts=TABLES,
    options=Profile,
    presets=PRESETS,
    seconds=lambda size: 0.6 + size / 30e6,
    needs_memory=memory_bytes,
    needs_disk=lambda size: 16 * MIB + 3 * size,
)
def profile(source: Path, step: Context[Profile]) -> Iterator[Output]:
    """Look into tables: types, gaps, ranges and frequent values of every column, and what is odd."""
    from uploads.operations import profile_page

    yield from profile_page.make(source, step)
