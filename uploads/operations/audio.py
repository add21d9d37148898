"""The operation `audio.convert`: sound files, and the sound of videos, in other formats and evenly loud.

Knows options and presets; `sound` measures and encodes, imported when there is work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option

MIB, GIB = 1024**2, 1024**3


@dataclass(frozen=True)
class ConvertSound:
    """How the sound comes out; levels as EBU R 128 measures them."""

    format: Literal["mp3", "aac", "opus", "flac", "wav"] = option(
        "mp3",
        "Format of the results.",
        choices={
            "mp3": "MP3",
            "aac": "AAC (M4A)",
            "opus": "Opus",
            "flac": "FLAC, lossless",
            "wav": "WAV, not compressed",
        },
    )
    bit_rate: int | None = option(
        None,
        "Empty chooses well for the format; FLAC and WAV have none.",
        min=16,
        max=510,
        unit="kbit/s",
    )
    loudness: float | None = option(
        None,
        "Average loudness: −16 for podcasts, −14 for players on the web, −23 for broadcast; "
        "empty leaves it as it is.",
        min=-40,
        max=-8,
        unit="LUFS",
    )
    peak: float = option(
        -1.0,
        "No true peak gets above this when the loudness is changed.",
        label="Highest peak",
        min=-9,
        max=0,
        unit="dBTP",
    )
    trim_silence: bool = option(
        default=False, help="Cut silence off at the start and at the end; pauses stay."
    )
    silence: float = option(
        -50.0,
        "What is quieter than this counts as silence.",
        label="Silence below",
        min=-90,
        max=-20,
        unit="dB",
    )
    channels: Literal["keep", "mono", "stereo"] = option(
        "keep",
        "Surround sound becomes stereo in MP3 and Opus.",
        choices={"keep": "As they are", "mono": "Mono", "stereo": "Stereo"},
    )
    sample_rate: Literal["keep", "16000", "22050", "32000", "44100", "48000", "96000"] = option(
        "keep",
        "Samples a second; a format that can't hold it takes the nearest, Opus always 48 kHz.",
        choices={
            "keep": "As it is",
            "16000": "16 kHz",
            "22050": "22.05 kHz",
            "32000": "32 kHz",
            "44100": "44.1 kHz",
            "48000": "48 kHz",
            "96000": "96 kHz",
        },
    )
    track: int = option(
        1, "Which sound track, where a file has several.", min=1, max=16, label="Track"
    )
    tags: Literal["keep", "strip"] = option(
        "keep",
        "Title, artist, album, chapters, cover. Everything else, such as the place, is removed.",
        choices={"keep": "Keep", "strip": "Remove"},
    )


PRESETS = (
    Preset("mp3", "MP3 for everyone", "Plays on everything; about 1.4 MB a minute.", {}),
    Preset(
        "podcast",
        "Podcast: evenly loud",
        "MP3 at −16 LUFS, silence at both ends cut off.",
        {"loudness": -16, "trim_silence": True, "bit_rate": 128},
    ),
    Preset(
        "speech",
        "Speech, very small",
        "Opus in mono: an hour in 14 MB, evenly loud.",
        {"format": "opus", "channels": "mono", "bit_rate": 32, "loudness": -18},
    ),
    Preset("m4a", "AAC (M4A)", "For phones; better than MP3 of the same size.", {"format": "aac"}),
    Preset("opus", "Opus", "The smallest files of good sound.", {"format": "opus"}),
    Preset("flac", "FLAC", "Every sample as it is, in about half the bytes.", {"format": "flac"}),
    Preset("wav", "WAV for editing", "Not compressed; large files.", {"format": "wav"}),
    Preset(
        "broadcast",
        "Broadcast: EBU R 128",
        "WAV, 48 kHz, −23 LUFS.",
        {"format": "wav", "loudness": -23, "sample_rate": "48000"},
    ),
)


@operation(
    "audio.convert",
    label="Convert sound",
    version=2,
    accepts=["audio/*", "video/*"],
    options=ConvertSound,
    presets=PRESETS,
    piecewise=True,
    # A minute takes a second or two and has 1 MB as MP3, 10 MB as WAV or as video.
    seconds=lambda size: 0.4 + size / 6e6,
    needs_memory=lambda size: 192 * MIB,
    # A WAV has ten times the bytes of an MP3.
    needs_disk=lambda size: 4 * MIB + min(12 * size, size + 2 * GIB),
)
def convert(source: Path, step: Context[ConvertSound]) -> Iterator[Output]:
    """Convert sound files and the sound of videos; evenly loud, without silence, tags kept."""
    from uploads.operations import sound

    yield from sound.convert(source, step)
