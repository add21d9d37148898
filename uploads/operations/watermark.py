"""The operation `image.watermark`: a logo or a line of text on every picture; knows no pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.errors import RequestError
from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option, upload_option

Place = Literal[
    "top-left",
    "top",
    "top-right",
    "left",
    "centre",
    "right",
    "bottom-left",
    "bottom",
    "bottom-right",
    "everywhere",
]


@dataclass(frozen=True)
class Watermark:
    """What is put on the pictures, and where; sizes are shares of the picture, so all look alike."""

    logo: Path | None = upload_option(  # noqa: RUF009
        "One of your uploaded pictures, best a PNG with transparent parts; instead of the text.",
        accepts=["image/*"],
        main=True,
    )
    text: str = option(
        "© Your name", "What is written when no logo is chosen.", max_length=100, main=True
    )
    place: Place = option(  # noqa: RUF009 - `Place` hides that it is a literal
        "bottom-right",
        "Where it stands; everywhere repeats it in slanting rows.",
        choices={
            "top-left": "Top left",
            "top": "Top",
            "top-right": "Top right",
            "left": "Left",
            "centre": "In the middle",
            "right": "Right",
            "bottom-left": "Bottom left",
            "bottom": "Bottom",
            "bottom-right": "Bottom right",
            "everywhere": "Everywhere",
        },
    )
    size: int = option(25, "Its width as a share of the picture's.", min=2, max=100, unit="%")
    opacity: int = option(60, "100 hides what is below.", min=5, max=100, unit="%")
    margin: int = option(
        3, "Distance from the edges as a share of the shorter one.", min=0, max=40, unit="%"
    )
    colour: Literal["light", "dark"] = option(
        "light",
        "Of the text; it has a soft edge of the other one, so that it can be read everywhere.",
        choices={"light": "White", "dark": "Black"},
    )
    format: Literal["same", "jpeg", "png", "webp"] = option(
        "same",
        "Format of the results; HEIC, TIFF and GIF become JPEG.",
        choices={"same": "Same as the source", "jpeg": "JPEG", "png": "PNG", "webp": "WebP"},
    )
    quality: int = option(88, "1 (smallest) to 100 (best).", min=1, max=100)
    metadata: Literal["strip", "keep", "keep_all"] = option(
        "strip",
        "Camera, date, place and other notes inside the file.",
        choices={
            "strip": "Remove all of it",
            "keep": "Keep it, without the place",
            "keep_all": "Keep all of it, the place too",
        },
    )

    def __post_init__(self) -> None:
        if self.logo is None and not self.text.strip():
            raise RequestError(
                "invalid_options", reason="A logo or a text is needed.", field="text"
            )


PRESETS = (
    Preset("corner", "In the corner", "Small, bottom right, half transparent.", {}),
    Preset(
        "proof",
        "Proof: everywhere",
        "Slanting rows over the whole picture, for what is not paid yet.",
        {"place": "everywhere", "size": 30, "opacity": 30},
    ),
    Preset(
        "banner",
        "Large, in the middle",
        "Half as wide as the picture.",
        {"place": "centre", "size": 50, "opacity": 40},
    ),
)


@operation(
    "image.watermark",
    label="Watermark pictures",
    accepts=[
        *("image/jpeg", "image/png", "image/webp", "image/avif"),
        *("image/heic", "image/heif", "image/tiff", "image/gif"),
    ],
    options=Watermark,
    version=2,
    presets=PRESETS,
    seconds=lambda size: 0.05 + size / 12e6,
    needs_memory=lambda size: 128 * 1024**2 + min(32 * size, 3 * 1024**3),
)
def watermark(source: Path, step: Context[Watermark]) -> Iterator[Output]:
    """Put a logo or a text on pictures, as large on each; size, colours and rotation stay right."""
    from uploads.operations import marks

    yield from marks.watermark(source, step)
