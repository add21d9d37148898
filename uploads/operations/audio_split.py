"""The operation `audio.split`: a recording in pieces, by length, at silences, at chapters or at given times.

Knows options and presets; `audio_split_make` does the work, imported when there is some.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option
from uploads.operations.times import parse_times

MIB, GIB = 1024**2, 1024**3


@dataclass(frozen=True)
class SplitSound:
    """Where a recording is cut, and how the pieces come out."""

    by: Literal["length", "silence", "times", "chapters"] = option(
        "length",
        "Where to cut.",
        label="Cut",
        choices={
            "length": "Every so many minutes",
            "silence": "In the middle of each silence",
            "times": "At the times below",
            "chapters": "At its chapters",
        },
    )
    minutes: float = option(
        10.0, "Length of a piece; the last one is what is left.", min=0.05, max=1440, unit="min"
    )
    times: str = option(
        "", "Where pieces begin, such as 3:20, 7:45, 1:02:00.", label="Times", max_length=2000
    )
    pause: float = option(
        1.5, "A silence of at least this long.", label="Silence", min=0.3, max=60, unit="s"
    )
    silence: float = option(
        -40.0,
        "What is quieter than this counts as silence.",
        label="Silence below",
        min=-90,
        max=-20,
        unit="dB",
    )
    shortest: float = option(
        5.0,
        "Silences that would make a shorter piece are passed over.",
        label="Shortest piece",
        min=0,
        max=3600,
        unit="s",
    )
    format: Literal["same", "mp3", "aac", "opus", "flac", "wav"] = option(
        "same",
        "The same copies MP3, AAC, Opus and Vorbis without loss; the rest becomes FLAC, WAV or MP3.",
        choices={
            "same": "As it is",
            "mp3": "MP3",
            "aac": "AAC (M4A)",
            "opus": "Opus",
            "flac": "FLAC, lossless",
            "wav": "WAV, not compressed",
        },
    )
    track: int = option(
        1, "Which sound track, where a file has several.", min=1, max=16, label="Track"
    )
    tags: Literal["keep", "strip"] = option(
        "keep",
        "Title, artist, album, cover, chapters; each piece gets its own track number.",
        choices={"keep": "Keep", "strip": "Only the track number"},
    )

    def __post_init__(self) -> None:
        if self.by == "times" or self.times:
            parse_times(self.times, "times")


PRESETS = (
    Preset("ten_minutes", "Every 10 minutes", "In the format of the source.", {}),
    Preset(
        "silence",
        "At each silence",
        "Songs of a record, takes of a recording: cut where it is quiet for 1.5 s.",
        {"by": "silence"},
    ),
    Preset(
        "at_chapters",
        "Audiobook or podcast: a file for each chapter",
        "In the format of the source, named by the chapters.",
        {"by": "chapters"},
    ),
    Preset(
        "chapters",
        "Audiobook: hours into MP3s of 30 minutes",
        "MP3, numbered, for old players.",
        {"minutes": 30, "format": "mp3"},
    ),
)


@operation(
    "audio.split",
    label="Split sound",
    version=2,
    accepts=["audio/*", "video/*"],
    options=SplitSound,
    presets=PRESETS,
    seconds=lambda size: 0.5 + size / 8e6,
    needs_memory=lambda size: 192 * MIB,
    # What is encoded anew lies there as samples first.
    needs_disk=lambda size: 8 * MIB + min(24 * size, 2 * size + 4 * GIB),
    piecewise=True,
)
def split(source: Path, step: Context[SplitSound]) -> Iterator[Output]:
    """Cut recordings into pieces by length, at silences, chapters or given times; tags and numbers set."""
    from uploads.operations import audio_split_make

    yield from audio_split_make.split(source, step)
