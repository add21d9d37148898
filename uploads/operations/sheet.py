"""The operation `image.sheet`: many pictures small on a few pages; knows no pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.image import ACCEPTED, COLOUR
from uploads.operations.options import option
from uploads.operations.times import refuse


@dataclass(frozen=True)
class Sheet:
    """How a page looks."""

    columns: int = option(5, "Pictures beside each other.", min=1, max=20)
    rows: int = option(
        6, "Pictures below each other; what is more goes on the next page.", min=1, max=40
    )
    cell: int = option(
        320,
        "Longest edge of a small picture.",
        label="Size of a picture",
        min=64,
        max=2000,
        unit="pixels",
    )
    captions: Literal["name", "none"] = option(
        "name", "Below each picture.", choices={"name": "The file's name", "none": "Nothing"}
    )
    background: str = option(
        "#ffffff", "Colour of the page, such as #ffffff or #101418.", max_length=7
    )
    format: Literal["jpeg", "png", "webp"] = option(
        "jpeg", "Format of the pages.", choices={"jpeg": "JPEG", "png": "PNG", "webp": "WebP"}
    )

    def __post_init__(self) -> None:
        if not COLOUR.fullmatch(self.background):
            raise refuse("a colour is written like #ffffff.", "background")


PRESETS = (
    Preset("overview", "Overview: 30 to a page", "Five beside each other, with their names.", {}),
    Preset(
        "dense", "Many at a glance: 100 to a page", "Ten beside each other, without names.",
        {"columns": 10, "rows": 10, "cell": 180, "captions": "none"},
    ),
    Preset(
        "dark", "Dark, large", "Three beside each other on black.",
        {"columns": 3, "rows": 3, "cell": 640, "background": "#101418"},
    ),
)  # fmt: skip


@operation(
    "image.sheet",
    label="Contact sheets",
    accepts=ACCEPTED,
    options=Sheet,
    version=2,
    takes="all",
    presets=PRESETS,
    seconds=lambda size: 0.2 + size / 60e6,
    needs_memory=lambda size: 512 * 1024**2,
    needs_disk=lambda size: 16 * 1024**2 + size // 10,
)
def sheet(sources: Sequence[Path], step: Context[Sheet]) -> Iterator[Output]:
    """Put all pictures small on pages, with their names; a page holds as many as you like."""
    from uploads.operations import sheet_make

    yield from sheet_make.make(sources, step)
