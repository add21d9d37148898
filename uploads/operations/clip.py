"""The operation `video.clip`: one or many ranges of a video, exact or on key frames.

Knows options and presets; `clip_cut` does the work, imported when there is some.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Part, PartResult, Preset, operation
from uploads.operations.options import option
from uploads.operations.times import parse_ranges, refuse


@dataclass(frozen=True)
class Clip:
    """What to cut out of each video, and how it comes out."""

    ranges: str = option(
        "0:00-0:30",
        "From – to, several with commas: 0:30-1:15, 1:02:00-1:04:30. “2:00-” goes to the end.",
        label="Which times?",
        max_length=1000,
        main=True,
    )
    mode: Literal["exact", "keyframes"] = option(
        "exact",
        "Exact encodes again. Key frames copies in seconds, but starts up to some seconds early.",
        choices={"exact": "Exact to the picture", "keyframes": "Fast, from the key frame before"},
    )
    joined: bool = option(
        default=False, label="One file", help="All ranges one after another in one video."
    )
    height: int | None = option(
        None, "Most lines of the picture; empty keeps the size.", min=16, max=4320, unit="pixels"
    )
    quality: int = option(
        20, "Constant quality (CRF): 18 looks like the source, 28 is small.", min=10, max=40
    )
    speed: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = option("veryfast", "Slower speeds make smaller files of the same quality.")
    audio: Literal["keep", "drop"] = option(
        "keep", "The sound of the same times.", choices={"keep": "With sound", "drop": "No sound"}
    )

    def __post_init__(self) -> None:
        parse_ranges(self.ranges, "ranges")
        if self.joined and self.mode == "keyframes":
            raise refuse("One file of several ranges needs exact cuts.", "joined")


PRESETS = (
    Preset(
        "exact", "Exact to the picture", "MP4 that plays everywhere, one file for each range.", {}
    ),
    Preset(
        "fast",
        "Fast: nothing is encoded",
        "Seconds, however long; starts at the key frame before.",
        {"mode": "keyframes"},
    ),
    Preset("joined", "All in one file", "The ranges one after another, exact.", {"joined": True}),
    Preset(
        "message",
        "Small, for messages",
        "MP4 of at most 480 lines, exact.",
        {"height": 480, "quality": 26},
    ),
)


@operation(
    "video.clip",
    label="Cut clips",
    version=2,
    accepts=["video/*"],
    options=Clip,
    presets=PRESETS,
    seconds=lambda size: 1 + size / 20e6,
    memory_bytes=8 * 1024**3,
)
def clip(source: Path, step: Context[Clip]) -> Iterator[Output]:
    """Cut ranges out of videos, exact to the picture or on key frames, one file each or joined."""
    from uploads.operations import clip_cut

    if step.part is not None:
        yield from clip_cut.cut(source, step, step.part)
        return
    for part in clip_cut.plan(source, step):
        yield from clip_cut.cut(source, step, part.params)


@clip.plan
def plan(source: Path, step: Context[Clip]) -> Sequence[Part]:
    """Make each range a part of its own; all that are joined are one."""
    from uploads.operations import clip_cut

    return clip_cut.plan(source, step)


@clip.join
def join(source: Path, step: Context[Clip], parts: Sequence[PartResult]) -> Iterator[Output]:
    """Hand the clips on in the order of their ranges."""
    from uploads.operations import clip_cut

    yield from clip_cut.collect(step, parts)
