"""The operation `video.poster`: a still, a strip of small stills for the seek bar, and its index."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option


@dataclass(frozen=True)
class Poster:
    """What to take from a video."""

    width: int = option(
        1280, "Longest edge of the poster; never enlarged.", min=64, max=8192, unit="pixels"
    )
    sprite: bool = option(
        default=True,
        label="Seek-bar pictures",
        help="One picture with many small stills, and a WebVTT file that tells where each belongs.",
    )
    stills: int = option(100, "Most small stills of a video.", min=4, max=400)
    still_width: int = option(160, "Width of a small still.", min=64, max=480, unit="pixels")


PRESETS = (
    Preset(
        "player",
        "For a web player",
        "Poster, seek-bar pictures and their WebVTT index.",
        {"width": 1280, "sprite": True},
    ),
    Preset("poster", "Poster alone", "One good still of each video.", {"sprite": False}),
)


@operation(
    "video.poster",
    label="Posters and seek-bar pictures",
    accepts=["video/*"],
    options=Poster,
    version=3,
    presets=PRESETS,
    seconds=lambda size: min(30.0, 1 + size / 20e6),
    needs_memory=lambda size: 512 * 1024**2,
    needs_disk=lambda size: 16 * 1024**2,
)
def poster(source: Path, step: Context[Poster]) -> Iterator[Output]:
    """Take the most telling still, and small stills with their times for a player's seek bar."""
    from uploads.operations import stills

    yield from stills.take(source, step)
