"""The operation `video.frames`: pictures out of a video, at even times or where scenes begin.

Knows options and presets; `frames_make` does the work, imported when there is some.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option


@dataclass(frozen=True)
class Frames:
    """Which pictures to take, and how they come out."""

    choose: Literal["interval", "number", "scenes"] = option(
        "interval",
        "Which pictures to take.",
        label="Which pictures",
        choices={
            "interval": "One every so many seconds",
            "number": "So many, spread over the video",
            "scenes": "One where each scene begins",
        },
    )
    every: float = option(10.0, "Seconds from one to the next.", min=0.04, max=86400, unit="s")
    number: int = option(20, "How many, if they are spread.", min=1, max=2000)
    change: float = option(
        10.0,
        "How different a picture must be to begin a scene: 5 takes more, 20 only hard cuts.",
        label="Change of scene",
        min=1,
        max=80,
    )
    most: int = option(
        300, "Most pictures of one video; more are thinned out evenly.", min=1, max=2000
    )
    format: Literal["jpeg", "png", "webp"] = option(
        "jpeg",
        "Format of the pictures.",
        choices={"jpeg": "JPEG", "png": "PNG, lossless", "webp": "WebP"},
    )
    longest_edge: int | None = option(
        None,
        "Empty keeps the size; never enlarged.",
        label="Longest edge",
        min=16,
        max=8192,
        unit="pixels",
    )
    quality: int = option(85, "For JPEG and WebP.", min=20, max=100)


PRESETS = (
    Preset("ten_seconds", "One every 10 seconds", "JPEG in the size of the video.", {}),
    Preset("twenty", "20 over the whole video", "JPEG, spread evenly.", {"choose": "number"}),
    Preset(
        "scenes",
        "Every scene",
        "The first picture of each scene; decodes the whole video.",
        {"choose": "scenes"},
    ),
    Preset(
        "small",
        "Small, for an overview",
        "WebP of 480 pixels, one every 10 seconds.",
        {"format": "webp", "longest_edge": 480, "quality": 75},
    ),
    Preset("exact", "Lossless, each second", "PNG in full size.", {"every": 1, "format": "png"}),
)


@operation(
    "video.frames",
    label="Take pictures",
    accepts=["video/*"],
    options=Frames,
    version=3,
    presets=PRESETS,
    seconds=lambda size: 1 + size / 15e6,
    needs_memory=lambda size: 512 * 1024**2,
    needs_disk=lambda size: 64 * 1024**2 + size,
    piecewise=True,
)
def frames(source: Path, step: Context[Frames]) -> Iterator[Output]:
    """Take pictures out of videos: every few seconds, so many, or where scenes begin."""
    from uploads.operations import frames_make

    yield from frames_make.take(source, step)
