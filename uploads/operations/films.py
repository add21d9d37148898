"""The operation `video.join`: several videos become one, in the order in which they were sent.

Knows options and presets; `films_make` does the work, imported when there is some.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option


@dataclass(frozen=True)
class JoinFilms:
    """How videos are put together."""

    method: Literal["auto", "encode"] = option(
        "auto",
        "Copying takes seconds and loses nothing; it needs videos of one kind.",
        choices={"auto": "Copy if all are of one kind", "encode": "Encode always"},
    )
    quality: int = option(
        20, "Constant quality (CRF), where they are encoded: 18 is best.", min=10, max=40
    )
    speed: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = option("veryfast", "Slower speeds make smaller files of the same quality.")
    audio: Literal["keep", "drop"] = option(
        "keep",
        "Where a video has no sound, there is silence.",
        choices={"keep": "With sound", "drop": "No sound"},
    )
    chapters: bool = option(default=True, help="A chapter for each video, by the name of its file.")


PRESETS = (
    Preset("one", "One video", "Copied if all are of one kind, else in the first one's size.", {}),
    Preset(
        "small",
        "One video, small",
        "Always encoded, for messages.",
        {"method": "encode", "quality": 28, "speed": "medium"},
    ),
    Preset("silent", "Without sound", "The pictures alone.", {"audio": "drop"}),
)


@operation(
    "video.join",
    label="Join videos",
    version=2,
    accepts=["video/*"],
    options=JoinFilms,
    takes="all",
    presets=PRESETS,
    seconds=lambda size: 1 + size / 5e6,
    needs_memory=lambda size: 768 * 1024**2,
    needs_disk=lambda size: 64 * 1024**2 + 4 * size,
    memory_bytes=8 * 1024**3,
)
def join(sources: Sequence[Path], step: Context[JoinFilms]) -> Iterator[Output]:
    """Put videos one after another into one, in their order: copied where they fit together."""
    from uploads.operations import films_make

    yield from films_make.join(sources, step)
