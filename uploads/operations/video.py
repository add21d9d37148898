"""The operation `video.transcode`: videos in other codecs and sizes, cut into parts for many workers.

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
from uploads.operations.times import parse_ranges, refuse
from uploads.operations.video_codecs import CODECS


@dataclass(frozen=True)
class Transcode:
    """How videos come out; nothing is ever enlarged."""

    codec: Literal["h264", "h265", "vp9", "av1"] = option(
        "h264",
        "H.264 plays everywhere; H.265 and AV1 make files of half the size, but not every device plays them.",
        choices={name: codec.words for name, codec in CODECS.items()},
    )
    container: Literal["mp4", "mkv", "webm"] = option(
        "mp4",
        "Kind of file: MP4 plays everywhere, MKV holds any subtitles and sound, WebM is for web pages.",
        choices={"mp4": "MP4", "mkv": "MKV", "webm": "WebM"},
    )
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
        "Constant quality (CRF) on the scale of H.264, whatever the codec: 18 looks like the source, 23 good, 28 small.",
        min=10,
        max=40,
    )
    size_mb: float | None = option(
        None,
        "Most megabytes of each result, instead of a quality; the picture gets smaller where it must.",
        label="Target size",
        min=0.1,
        max=1_000_000,
        unit="MB",
    )
    bit_rate: int | None = option(
        None,
        "Average of the picture, instead of a quality.",
        label="Target bit rate",
        min=20,
        max=200_000,
        unit="kbit/s",
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
    only: str = option(
        "",
        "From – to, such as 0:30-1:15 or 2:00-; empty for the whole video.",
        label="Only this part",
        max_length=60,
    )
    turn: Literal["none", "right", "left", "half"] = option(
        "none",
        "For videos that lie on their side. What the camera noted is always heeded.",
        choices={
            "none": "As it is",
            "right": "A quarter to the right",
            "left": "A quarter to the left",
            "half": "Upside down",
        },
    )
    audio: Literal["auto", "aac", "opus", "mp3", "copy", "drop"] = option(
        "auto",
        "Sound: converted, taken as it is where the kind of file can hold it, or left out.",
        choices={
            "auto": "AAC, in WebM Opus",
            "aac": "AAC",
            "opus": "Opus",
            "mp3": "MP3",
            "copy": "Keep as it is, if the file can hold it",
            "drop": "No sound",
        },
    )
    audio_rate: int = option(128, "Bits of the sound.", min=32, max=512, unit="kbit/s")
    audio_tracks: tuple[int, ...] = option(
        (1,), "Which sound tracks, by number: 1, 2; empty for all.", min=1, max=16
    )
    loudness: float | None = option(
        None,
        "Average loudness: −16 for talks, −14 for the web, −23 for broadcast; empty leaves it.",
        min=-40,
        max=-8,
        unit="LUFS",
    )
    subtitles: Literal["keep", "burn", "extract", "drop"] = option(
        "keep",
        "Kept ones can be switched on and off; burnt in they are part of the picture.",
        choices={
            "keep": "Keep",
            "burn": "Burn into the picture",
            "extract": "Files of their own (SRT)",
            "drop": "Leave out",
        },
    )
    subtitle_track: int = option(
        1, "Which one is burnt in, where there are several.", min=1, max=32
    )
    tags: Literal["keep", "strip"] = option(
        "keep",
        "Title, day of recording, chapters, names of tracks. Everything else, such as the place, is removed.",
        choices={"keep": "Keep", "strip": "Remove"},
    )
    faststart: bool = option(default=True, help="Playing can start before the file has arrived.")
    copy_fitting: bool = option(
        default=True,
        help="A video that already is as wanted is copied in seconds instead of encoded again.",
    )

    def __post_init__(self) -> None:
        if self.only and len(parse_ranges(self.only, "only")) > 1:
            raise refuse("one range is expected; “Cut clips” makes several.", "only")
        if self.size_mb and self.bit_rate:
            raise refuse("give a target size or a target bit rate, not both.", "bit_rate")
        codec = CODECS[self.codec]
        if self.container not in codec.containers:
            raise refuse(f"WebM holds VP9 and AV1; choose MP4 or MKV for {codec.words}.", "codec")
        if self.container == "webm" and self.audio in {"aac", "mp3"}:
            raise refuse("WebM holds Opus; choose that, or another kind of file.", "audio")


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
        "fit-10",
        "At most 10 MB, for chats and e-mail",
        "MP4; the picture is as large and as good as 10 MB allow.",
        {"size_mb": 10, "height": 720, "speed": "medium", "audio_rate": 96, "frame_rate": 30},
    ),
    Preset(
        "same-size",
        "Smaller file, same size of picture",
        "MP4; takes longer and looks like the source.",
        {"height": None, "quality": 21, "speed": "medium"},
    ),
    Preset(
        "archive-h265",
        "Half the bytes: H.265",
        "MP4 for newer phones, televisions and Apple's devices; takes three times as long.",
        {"codec": "h265", "height": 1080, "quality": 22, "speed": "fast"},
    ),
    Preset(
        "av1",
        "Smallest: AV1",
        "MP4 for current browsers and devices; takes three times as long.",
        {"codec": "av1", "height": 1080, "quality": 24, "speed": "fast", "audio": "opus"},
    ),
    Preset(
        "webm",
        "WebM for web pages",
        "VP9 and Opus, free of patents.",
        {"codec": "vp9", "container": "webm", "height": 720, "speed": "fast"},
    ),
    Preset(
        "mkv",
        "MKV with everything",
        "All sound tracks and subtitles; H.264 that looks like the source.",
        {
            "container": "mkv",
            "height": None,
            "quality": 20,
            "speed": "fast",
            "audio": "copy",
            "audio_tracks": [],
        },
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
    version=3,
    presets=PRESETS,
    seconds=lambda size: 1 + size / 1.2e6,
    memory_bytes=8 * 1024**3,
    piecewise=True,
)
def transcode(source: Path, step: Context[Transcode]) -> Iterator[Output]:
    """Make videos that play everywhere, or small; long ones are encoded by all workers at once."""
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
