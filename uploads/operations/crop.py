"""The operation `image.crop`: a part of a picture, by its border, a shape or a box; knows no pixels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.image import ACCEPTED
from uploads.operations.options import option
from uploads.operations.times import refuse

BOX = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*")


@dataclass(frozen=True)
class Crop:
    """Which part of a picture stays."""

    box: str = option(
        "",
        "From the left, from the top, width and height: 100, 50, 800, 600 in pixels, or 10%, 0, 80%, 100%.",
        label="Box",
        max_length=60,
        main=True,
    )
    how: Literal["trim", "shape"] = option(
        "trim",
        "Where no box is given.",
        label="Otherwise",
        choices={"trim": "Cut off a border of one colour", "shape": "Crop to a shape"},
    )
    shape: Literal["1:1", "4:3", "3:2", "16:9", "4:5", "3:4", "2:3", "9:16"] = option(
        "1:1", "Width to height; as large as the picture allows."
    )
    place: Literal["attention", "centre", "low", "high"] = option(
        "attention",
        "What stays when a shape is cropped.",
        choices={
            "attention": "What catches the eye",
            "centre": "The middle",
            "low": "The left or the top",
            "high": "The right or the bottom",
        },
    )
    tolerance: int = option(
        12, "How far a border may differ from one colour; more for scans.", min=0, max=100
    )
    margin: int = option(
        0, "How much of the border stays around the picture.", min=0, max=1000, unit="pixels"
    )
    quality: int = option(92, "Of JPEG, WebP and AVIF, 1 to 100 (best).", min=1, max=100)
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
        if self.box and not self.sides:
            raise refuse("a box is four numbers, such as 100, 50, 800, 600.", "box")

    @property
    def sides(self) -> list[tuple[float, bool]]:
        """Return left, top, width and height of the box, and whether each is in percent."""
        found = [BOX.fullmatch(part) for part in self.box.split(",")]
        sides = [(float(one[1]), one[2] == "%") for one in found if one]
        fits = len(sides) == len(found) == 4 and min(sides[2][0], sides[3][0]) > 0
        return sides if fits else []


PRESETS = (
    Preset("trim", "Cut off borders", "White or black margins of scans and screenshots go.", {}),
    Preset("square", "Square", "With what catches the eye, as large as it can be.", {"how": "shape"}),
    Preset("wide", "16:9", "For screens and slides.", {"how": "shape", "shape": "16:9"}),
    Preset("portrait", "4:5, upright", "For feeds on phones.", {"how": "shape", "shape": "4:5"}),
)  # fmt: skip


@operation(
    "image.crop",
    label="Crop pictures",
    accepts=ACCEPTED,
    options=Crop,
    version=2,
    presets=PRESETS,
    seconds=lambda size: 0.01 + 0.08 * (size / 1e6) ** 0.5,
    needs_memory=lambda size: 128 * 1024**2 + min(36 * size, 3 * 1024**3),
)
def crop(source: Path, step: Context[Crop]) -> Iterator[Output]:
    """Cut off borders, crop to a shape around what catches the eye, or take a box; never enlarged."""
    from uploads.operations import crop_make

    yield from crop_make.make(source, step)
