"""The operation `image.zoom`: very large pictures as tiles, to be zoomed into; knows no pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.image import ACCEPTED
from uploads.operations.options import option


@dataclass(frozen=True)
class Zoom:
    """How the tiles are made."""

    format: Literal["jpeg", "webp", "png"] = option(
        "jpeg",
        "Format of the tiles. PNG keeps every pixel and transparent parts.",
        choices={"jpeg": "JPEG", "webp": "WebP", "png": "PNG"},
    )
    quality: int = option(85, "Of JPEG and WebP, 1 (smallest) to 100 (best).", min=1, max=100)
    tile: int = option(
        512,
        "Edge of a tile. Smaller ones are more files; larger ones take longer each.",
        label="Size of a tile",
        min=128,
        max=2048,
        unit="pixels",
    )


PRESETS = (
    Preset("web", "For the web", "JPEG tiles of 512 px, hardly to be told from the picture.", {}),
    Preset("small", "Small", "WebP tiles, about two thirds of the bytes.", {"format": "webp", "quality": 75}),
    Preset("exact", "Every pixel as it is", "PNG tiles: for drawings, maps and scans with text.", {"format": "png"}),
)  # fmt: skip


@operation(
    "image.zoom",
    label="Zoom into large pictures",
    accepts=ACCEPTED,
    options=Zoom,
    version=2,
    presets=PRESETS,
    seconds=lambda size: 0.2 + size / 4e6,
    # It is read from top to bottom, a stripe at a time; what can't be is decoded as a whole.
    needs_memory=lambda size: 256 * 1024**2 + min(12 * size, 2 * 1024**3),
    needs_disk=lambda size: 16 * 1024**2 + 5 * size,
)
def zoom(source: Path, step: Context[Zoom]) -> Iterator[Output]:
    """Cut very large pictures into tiles, to be zoomed into here or on a page of your own."""
    from uploads.operations import zoom_make

    yield from zoom_make.make(source, step)
