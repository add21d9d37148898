"""The operation `video.hls`: a ladder of qualities for web players, playable while it is being made.

Knows options and presets; `hls_make` and `hls_join` do the work, imported when there is some.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Part, PartResult, Preset, operation
from uploads.operations.options import option
from uploads.operations.times import refuse


@dataclass(frozen=True)
class Hls:
    """Which qualities there shall be; all are H.264 with AAC, which every player knows."""

    heights: tuple[int, ...] = option(
        (1080, 720, 480),
        "Lines of each quality; what would enlarge the video is left out.",
        label="Qualities",
        min=16,
        max=4320,
    )
    quality: int = option(
        23, "Constant quality (CRF): 18 looks like the source, 28 is small.", min=10, max=40
    )
    speed: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = option("veryfast", "Slower speeds make smaller files of the same quality.")
    segment: int = option(
        4, "Length of a segment: players change the quality between two.", min=2, max=10, unit="s"
    )
    audio: Literal["keep", "drop"] = option(
        "keep", "One sound for all qualities.", choices={"keep": "With sound", "drop": "No sound"}
    )
    audio_track: int = option(1, "Which sound track, where there are several.", min=1, max=16)
    audio_rate: int = option(128, "Bits of the sound.", min=32, max=512, unit="kbit/s")

    def __post_init__(self) -> None:
        if not self.heights:
            raise refuse("at least one quality is needed, such as 720.", "heights")


PRESETS = (
    Preset("web", "For web pages", "1080, 720 and 480 lines: players choose by the network.", {}),
    Preset(
        "phones", "For phones and slow networks", "720, 480 and 360 lines.",
        {"heights": [720, 480, 360], "quality": 24},
    ),
    Preset(
        "large", "Up to 4K", "2160, 1440, 1080, 720 and 480 lines; takes long.",
        {"heights": [2160, 1440, 1080, 720, 480]},
    ),
    Preset(
        "quick", "One quality, soonest", "720 lines, playable first.",
        {"heights": [720], "speed": "superfast"},
    ),
)  # fmt: skip


@operation(
    "video.hls",
    label="Stream videos (HLS)",
    version=2,
    accepts=["video/*"],
    options=Hls,
    presets=PRESETS,
    seconds=lambda size: 1 + size / 0.6e6,
    memory_bytes=8 * 1024**3,
    piecewise=True,
    plays_early=True,
)
def hls(source: Path, step: Context[Hls]) -> Iterator[Output]:
    """Make streams in several qualities for web players; they can be watched while they are made."""
    from uploads.operations import hls_join, hls_make

    if step.part is not None:
        yield from hls_make.make(source, step, step.part)
        return
    done: list[PartResult] = []
    for part in hls_make.plan(source, step):
        made = list(hls_make.make(source, step, part.params))
        done.append(PartResult(part.params, [m.path for m in made], [m.meta for m in made]))
    yield from hls_join.join(source, step, done)


@hls.plan
def plan(source: Path, step: Context[Hls]) -> Sequence[Part]:
    """Cut at key frames into parts of equal work; the sound comes first, so that playing can begin."""
    from uploads.operations import hls_make

    return hls_make.plan(source, step)


@hls.join
def join(source: Path, step: Context[Hls], parts: Sequence[PartResult]) -> Iterator[Output]:
    """Put the parts of each quality into one file, check it, and write the playlists."""
    from uploads.operations import hls_join

    yield from hls_join.join(source, step, parts)
