"""The operation `image.sheet`: many pictures small on a few pages; knows no pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.image import ACCEPTED, COLOUR
from uploads.operations.options import option
from uploads.operations.times import refuse

# Lines of a caption, and room between pictures, as shares of a picture's size.
CAPTION_SHARE, GAP_SHARE = 0.11, 0.06
LEAST_CAPTION, LEAST_GAP = 14, 6
# A page lies in memory as a whole; formats hold so many pixels a side.
MOST_PIXELS = 100_000_000
LONGEST = {"jpeg": 65_500, "webp": 16_383, "png": 100_000}


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
        width, height = self.page_size
        if width * height > MOST_PIXELS or max(width, height) > LONGEST[self.format]:
            reason = f"a page would have {width} × {height} pixels, which is too many; take fewer or smaller pictures."
            raise refuse(reason, "cell")

    @property
    def gap(self) -> int:
        """Return the room between pictures, and around them."""
        return max(LEAST_GAP, round(self.cell * GAP_SHARE))

    @property
    def caption(self) -> int:
        """Return the height of the names."""
        named = self.captions == "name"
        return max(LEAST_CAPTION, round(self.cell * CAPTION_SHARE)) if named else 0

    @property
    def page_size(self) -> tuple[int, int]:
        """Return width and height of a full page."""
        width = self.columns * (self.cell + self.gap) + self.gap
        return width, self.rows * (self.cell + self.caption + self.gap) + self.gap


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
    version=3,
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
