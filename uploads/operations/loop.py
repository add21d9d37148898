"""The operation `video.loop`: a few seconds of a video as a GIF or WebP that begins again and again.

Knows options and presets; `loop_make` does the work, imported when there is some.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option
from uploads.operations.times import parse_time


@dataclass(frozen=True)
class Loop:
    """Which seconds, and how they come out."""

    start: str = option(
        "0:00", "Where it begins, such as 1:15 or 1:02:00.", label="From", max_length=20, main=True
    )
    length: float = option(
        4.0, "How long it lasts.", label="Length", min=0.2, max=60, unit="s", main=True
    )
    format: Literal["gif", "webp"] = option(
        "gif",
        "GIF plays everywhere; WebP is a fraction of its size, with all colours.",
        choices={"gif": "GIF", "webp": "WebP, animated"},
    )
    fps: int = option(
        12, "Never more than the video has.", label="Pictures a second", min=1, max=30
    )
    width: int = option(480, "Never enlarged.", min=16, max=1920, unit="pixels")
    colours: int = option(256, "Colours of a GIF; fewer make it smaller.", min=8, max=256)
    quality: int = option(75, "Of a WebP.", min=20, max=100)

    def __post_init__(self) -> None:
        parse_time(self.start, "start")


PRESETS = (
    Preset("gif", "GIF", "480 pixels, 12 pictures a second.", {}),
    Preset(
        "webp",
        "WebP, animated",
        "For web pages: more colours, far fewer bytes.",
        {"format": "webp", "fps": 15},
    ),
    Preset(
        "message",
        "Small GIF, for messages",
        "320 pixels, 10 pictures a second, 64 colours.",
        {"width": 320, "fps": 10, "colours": 64},
    ),
    Preset(
        "smooth",
        "Large and smooth WebP",
        "720 pixels, 25 pictures a second.",
        {"format": "webp", "width": 720, "fps": 25, "quality": 80},
    ),
)


@operation(
    "video.loop",
    label="GIF or WebP loop",
    accepts=["video/*"],
    options=Loop,
    version=3,
    presets=PRESETS,
    seconds=lambda size: 2.0 + min(20.0, size / 50e6),
    needs_memory=lambda size: 768 * 1024**2,
    needs_disk=lambda size: 512 * 1024**2,
)
def loop(source: Path, step: Context[Loop]) -> Iterator[Output]:
    """Make a GIF or animated WebP of some seconds of a video, in good colours, that loops."""
    from uploads.operations import loop_make

    yield from loop_make.make(source, step)
