"""The operation `image.optimise`: the same pixels in fewer bytes; knows no format."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option

ACCEPTED = ("image/jpeg", "image/png")


@dataclass(frozen=True)
class Optimise:
    """What may go, and how long it may take."""

    metadata: Literal["keep", "strip"] = option(
        "keep",
        "Camera, date, place and other notes inside the file. Colours and rotation stay right.",
        choices={"keep": "Keep all of it", "strip": "Remove all of it"},
    )
    effort: Literal["fast", "normal", "most"] = option(
        "normal",
        "Of PNG alone: how many ways of packing are tried.",
        choices={"fast": "Fast", "normal": "Normal", "most": "As small as possible, slow"},
    )


PRESETS = (
    Preset("lossless", "Smaller, not a pixel changed", "JPEG and PNG packed better; nothing else is touched.", {}),
    Preset("strip", "Smaller, without camera data and place", "Not a pixel changed; notes are removed.", {"metadata": "strip"}),
    Preset("most", "As small as possible", "Without notes; PNG files take several times as long.", {"metadata": "strip", "effort": "most"}),
)  # fmt: skip


@operation(
    "image.optimise",
    label="Optimise pictures",
    accepts=ACCEPTED,
    options=Optimise,
    version=2,
    presets=PRESETS,
    seconds=lambda size: 0.1 + size / 1.5e6,
    # Of a PNG the whole picture lies in memory a few times.
    needs_memory=lambda size: 128 * 1024**2 + min(40 * size, 3 * 1024**3),
)
def optimise(source: Path, step: Context[Optimise]) -> Iterator[Output]:
    """Make JPEG and PNG files smaller without changing a pixel; compared before they are shown."""
    from uploads.operations import optimise_make

    yield from optimise_make.make(source, step)
