"""The operation `image.convert`: pictures in other formats and sizes; knows no pixels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option
from uploads.operations.times import refuse

ACCEPTED = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/avif",
    "image/heic",
    "image/heif",
    "image/tiff",
    "image/gif",
)
# Modes that give every picture the same shape.
FULL_BOXES = {"fill": "Fill", "smart": "Fill", "pad": "A border", "stretch": "Stretch"}
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Convert:
    """How pictures come out; nothing is enlarged unless that is asked for."""

    format: Literal["same", "jpeg", "png", "webp", "avif"] = option(
        "jpeg",
        "Format of the results. “Same” keeps each picture's own; HEIC becomes JPEG.",
        choices={
            "same": "Same as the source",
            "jpeg": "JPEG",
            "png": "PNG",
            "webp": "WebP",
            "avif": "AVIF",
        },
    )
    sizes: tuple[int, ...] = option(
        (),
        "Longest edges, one result each, such as 1600, 320; empty keeps the size.",
        min=16,
        max=16384,
        unit="pixels",
    )
    mode: Literal["fit", "fill", "smart", "pad", "stretch", "percent"] = option(
        "fit",
        "How a picture gets its size; all but the last go by width and height below.",
        choices={
            "fit": "Fit: the whole picture, in its own shape",
            "fill": "Fill: the middle, edges cropped",
            "smart": "Fill with what catches the eye",
            "pad": "Fit, with a border to the full shape",
            "stretch": "Stretch to the very size",
            "percent": "A percentage of its own size",
        },
    )
    width: int | None = option(None, "Width of the box to fit or fill.", min=16, max=16384)
    height: int | None = option(None, "Height of the box to fit or fill.", min=16, max=16384)
    percent: int = option(50, "Of its own width and height.", min=1, max=400, unit="%")
    enlarge: bool = option(
        default=False, help="Small pictures become larger too, which makes them soft."
    )
    background: str = option(
        "#ffffff",
        "Colour of borders and behind transparent pictures in JPEG, such as #ffffff or #102030.",
        max_length=7,
    )
    turn: Literal["none", "right", "left", "half"] = option(
        "none",
        "For pictures that lie on their side. What the camera noted is always heeded.",
        choices={
            "none": "As it is",
            "right": "A quarter to the right",
            "left": "A quarter to the left",
            "half": "Upside down",
        },
    )
    flip: Literal["none", "horizontal", "vertical"] = option(
        "none",
        "As in a mirror.",
        choices={
            "none": "As it is",
            "horizontal": "Left and right change places",
            "vertical": "Top and bottom change places",
        },
    )
    quality: int | None = option(
        None, "1 (smallest) to 100 (best); empty chooses well for the format.", min=1, max=100
    )
    max_kb: int | None = option(
        None,
        "Most kilobytes of each result: its quality, then its size, is lowered until it fits.",
        label="Largest file",
        min=2,
        max=1_000_000,
        unit="kB",
    )
    metadata: Literal["strip", "keep", "keep_all"] = option(
        "strip",
        "Camera, date, place and other notes inside the file. Colours and rotation stay right.",
        choices={
            "strip": "Remove all of it",
            "keep": "Keep it, without the place",
            "keep_all": "Keep all of it, the place too",
        },
    )

    def __post_init__(self) -> None:
        if self.mode in FULL_BOXES and not (self.width and self.height):
            raise refuse(f"{FULL_BOXES[self.mode]} needs a width and a height.", "mode")
        if self.mode == "percent" and self.sizes:
            raise refuse("give sizes or a percentage, not both.", "sizes")
        if not COLOUR.fullmatch(self.background):
            raise refuse("a colour is written like #ffffff.", "background")


PRESETS = (
    Preset(
        "web",
        "For the web: 1600 px and 320 px",
        "Two JPEG files of each picture, without camera data and place.",
        {"format": "jpeg", "sizes": [1600, 320]},
    ),
    Preset(
        "smaller",
        "Smaller files, same size",
        "Each picture in its own format, compressed again.",
        {"format": "same"},
    ),
    Preset(
        "webp", "WebP", "About half of a JPEG's bytes; every browser shows it.", {"format": "webp"}
    ),
    Preset("avif", "AVIF", "The smallest files; takes some ten times as long.", {"format": "avif"}),
    Preset(
        "jpeg", "JPEG for everyone", "Opens everywhere; for HEIC from phones.", {"format": "jpeg"}
    ),
    Preset("png", "PNG", "Every pixel as it is; large files.", {"format": "png"}),
    Preset(
        "square",
        "Square thumbnails: 400 px",
        "Cropped around the middle, as profile pictures are.",
        {"format": "jpeg", "mode": "fill", "width": 400, "height": 400},
    ),
    Preset(
        "shop",
        "For shops: square, white border",
        "JPEG of 1200 × 1200 px with the whole picture in it.",
        {"format": "jpeg", "mode": "pad", "width": 1200, "height": 1200},
    ),
    Preset(
        "mail",
        "For e-mail: at most 300 kB each",
        "JPEG of at most 1600 px, as good as 300 kB allow.",
        {"format": "jpeg", "width": 1600, "height": 1600, "max_kb": 300},
    ),
)


# Seconds for a million pixels written, measured; and how many a million bytes of a photo hold.
WRITING_SECONDS = {"jpeg": 0.018, "same": 0.018, "webp": 0.047, "png": 0.07, "avif": 0.4}
MEGAPIXELS = 4.4


def seconds_by(size: int, options: Convert) -> float:
    """Estimate the work on a photo: reading it for each result, and the pixels that are written."""
    megabytes = size / 1e6
    whole = MEGAPIXELS * megabytes
    if options.mode == "percent":
        made = [whole * (options.percent / 100) ** 2]
    elif options.width and options.height and not options.sizes:
        made = [options.width * options.height / 1e6]
    else:  # the shape of a camera's picture, never enlarged
        made = [min(whole, 0.75 * edge**2 / 1e6) for edge in options.sizes] or [whole]
    tries = 3 if options.max_kb else 1
    written = tries * WRITING_SECONDS[options.format] * sum(made)
    return len(made) * (0.01 + 0.011 * megabytes) + written


@operation(
    "image.convert",
    label="Convert pictures",
    accepts=ACCEPTED,
    options=Convert,
    version=3,
    presets=PRESETS,
    seconds_by=seconds_by,
    # Twelve megapixels (2.7 MB) take 130 MB; a decoded picture is some ten times its file.
    needs_memory=lambda size: 96 * 1024**2 + min(24 * size, 3 * 1024**3),
)
def convert(source: Path, step: Context[Convert]) -> Iterator[Output]:
    """Change format and size of pictures; colours and rotation right, place removed, never enlarged."""
    from uploads.operations import image_make

    yield from image_make.convert(source, step)
