"""The operation `video.transcode`: H.264 in MP4, cut into parts for many workers.

Knows options and presets; what the parts do is in `video_plan`,
`video_encode` and `video_join`, imported when there is work, because they
load native libraries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Part, PartResult, Preset, operation
from uploads.operations.options import option


@dataclass(frozen=True)
class Transcode:
    """How videos come out: MP4 with H.264, which everything plays; nothing is enlarged."""

    height: int | None = option(
        720,
        "Most lines of the picture: 720 makes 1280 × 720, or 720 × 1280 of an upright video; empty keeps the size.",
        min=16,
        max=4320,
        unit="pixels",
    )
    longest_edge: int | None = option(
        None, "Most pixels of the longer edge; empty for no limit.", min=16, max=8192, unit="pixels"
    )
    quality: int = option(
        23,
        "Constant quality (CRF): 18 looks like the source, 23 good, 28 small.",
        min=10,
        max=40,
    )
    speed: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = option("veryfast", "Slower speeds make smaller files of the same quality.")
    frame_rate: int | None = option(
        None,
        "Most pictures a second; empty keeps all.",
        min=1,
        max=240,
        unit="pictures a second",
    )
    audio: Literal["aac", "copy", "drop"] = option(
        "aac",
        "Sound: converted, taken as it is where players know it, or left out.",
        choices={
            "aac": "Convert to AAC",
            "copy": "Keep as it is, if players know it",
            "drop": "No sound",
        },
    )
    audio_rate: int = option(128, "Bits of the sound.", min=32, max=512, unit="kbit/s")
    faststart: bool = option(default=True, help="Playing can start before the file has arrived.")
    copy_fitting: bool = option(
        default=True,
        help="A video that already is as wanted is copied in seconds instead of encoded again.",
    )


PRESETS = (
    Preset(
        "web-720",
        "Plays everywhere: 720p",
        "MP4 for web pages and phones; about 1 GB for an hour.",
        {"height": 720, "quality": 23},
    ),
    Preset(
        "web-1080",
        "Sharp: 1080p",
        "MP4 for televisions and large screens; about 2 GB for an hour.",
        {"height": 1080, "quality": 22},
    ),
    Preset(
        "small-480",
        "Small, for messages: 480p",
        "MP4 of a few megabytes a minute.",
        {"height": 480, "quality": 27, "audio_rate": 96, "frame_rate": 30},
    ),
    Preset(
        "same-size",
        "Smaller file, same size of picture",
        "MP4; takes longer and looks like the source.",
        {"height": None, "quality": 21, "speed": "medium"},
    ),
    Preset(
        "silent",
        "Without sound: 720p",
        "MP4 for loops and backgrounds.",
        {"height": 720, "quality": 23, "audio": "drop"},
    ),
)


@operation(
    "video.transcode",
    label="Convert videos",
    accepts=["video/*"],
    options=Transcode,
    presets=PRESETS,
    seconds=lambda size: 1 + size / 1.2e6,
    memory_bytes=8 * 1024**3,
)
def transcode(source: Path, step: Context[Transcode]) -> Iterator[Output]:
    """Make MP4 videos that play everywhere; long ones are encoded by all workers at once."""
    from uploads.operations import video_encode, video_join, video_plan

    if step.part is not None:
        yield from video_encode.encode(source, step, step.part)
        return
    done: list[PartResult] = []
    for part in video_plan.plan(source, step):
        made = list(video_encode.encode(source, step, part.params))
        done.append(PartResult(part.params, [m.path for m in made], [m.meta for m in made]))
    yield from video_join.join(source, step, done)


@transcode.plan
def plan(source: Path, step: Context[Transcode]) -> Sequence[Part]:
    """Cut at key frames into parts of equal work, and one part for the sound."""
    from uploads.operations import video_plan

    return video_plan.plan(source, step)


@transcode.join
def join(source: Path, step: Context[Transcode], parts: Sequence[PartResult]) -> Iterator[Output]:
    """Put the encoded parts and the sound into one file, check it, and take a poster."""
    from uploads.operations import video_join

    yield from video_join.join(source, step, parts)
