"""The operation `file.inspect`: what a file is, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option


@dataclass(frozen=True)
class Inspect:
    """How closely to look."""

    full_decode: bool = option(
        default=False,
        help="Decode everything once, to find damage and where an incomplete file ends.",
    )


PRESETS = (
    Preset("facts", "What is it?", "Format, size, tracks and times, in a moment.", {}),
    Preset(
        "whole",
        "Is it whole?",
        "Decodes all of it and tells where it is damaged or ends.",
        {"full_decode": True},
    ),
)


@operation(
    "file.inspect",
    label="Inspect files",
    accepts=["*/*"],
    options=Inspect,
    version=2,
    presets=PRESETS,
    seconds=lambda size: 0.2 + size / 200e6,
    needs_disk=lambda size: 1024**2,
)
def inspect(source: Path, step: Context[Inspect]) -> Iterator[Output]:
    """Report what a file is: format, size in pixels, tracks, times, and whether it is whole."""
    from uploads.operations import report

    yield from report.make(source, step)
