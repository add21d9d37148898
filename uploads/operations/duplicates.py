"""The operation `image.duplicates`: pictures that are there twice, or almost; knows no pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.image import ACCEPTED
from uploads.operations.options import option


@dataclass(frozen=True)
class Duplicates:
    """What counts as a duplicate, and which one of a group stays."""

    likeness: Literal["same", "near", "similar"] = option(
        "near",
        "Pictures that were turned or stamped over, and others of one series, are never meant.",
        label="What counts as a duplicate",
        choices={
            "same": "The same picture: not a pixel differs, whatever the file",
            "near": "Saved again: other size, format or compression",
            "similar": "Changed a little, too: cropped by a few percent, lighter, darker",
        },
    )
    keep: Literal["largest", "earliest", "first"] = option(
        "largest",
        "Which picture of a group is meant to stay.",
        choices={
            "largest": "The largest: most pixels, then most bytes",
            "earliest": "The one taken first, as far as cameras noted it; else the largest",
            "first": "The one that was sent first",
        },
    )
    pictures: Literal["none", "kept", "spare"] = option(
        "none",
        "Results beside the page and the table, such as for an operation after this one.",
        label="Pictures as results",
        choices={
            "none": "None, the page and the table alone",
            "kept": "One of each: all pictures but the duplicates",
            "spare": "The duplicates that are not kept",
        },
    )


PRESETS = (
    Preset("copies", "Copies, also smaller ones", "Saved again in other sizes, formats, qualities.", {}),
    Preset("exact", "Exact copies only", "Not a pixel differs; names and notes may.", {"likeness": "same"}),
    Preset(
        "similar", "Cropped and lightened ones as well", "Also what was changed a little; look before you delete.",
        {"likeness": "similar"},
    ),
    Preset(
        "one", "One of each", "All pictures without their copies, as results or for the next operation.",
        {"pictures": "kept"},
    ),
)  # fmt: skip


@operation(
    "image.duplicates",
    label="Find duplicate pictures",
    accepts=ACCEPTED,
    options=Duplicates,
    version=2,
    takes="all",
    presets=PRESETS,
    seconds=lambda size: 0.3 + size / 60e6,
    needs_memory=lambda size: 512 * 1024**2,
    needs_disk=lambda size: 64 * 1024**2 + size,
)
def duplicates(sources: Sequence[Path], step: Context[Duplicates]) -> Iterator[Output]:
    """Find pictures that are there more than once, also smaller or compressed again, side by side."""
    from uploads.operations import duplicates_make

    yield from duplicates_make.make(sources, step)
