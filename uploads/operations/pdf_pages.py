"""The operation `pdf.pages`: the pages of documents as pictures; knows no renderer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Part, PartResult, Preset, operation
from uploads.operations.options import option
from uploads.operations.page_ranges import parse_pages
from uploads.operations.times import refuse

PDF = "application/pdf"


@dataclass(frozen=True)
class Pages:
    """Which pages become pictures, and how they look."""

    pages: str = option(
        "",
        "Such as 1-3, 7, 10-; empty for all.",
        label="Which pages?",
        max_length=400,
        main=True,
    )
    format: Literal["png", "jpeg", "webp"] = option(
        "png",
        "PNG is exact and best for text and drawings, JPEG and WebP are smaller for photographs.",
        choices={"png": "PNG", "jpeg": "JPEG", "webp": "WebP"},
    )
    dpi: int = option(
        150,
        "Sharpness: 150 for screens, 300 for print.",
        label="Resolution",
        min=18,
        max=1200,
        unit="dots per inch",
    )
    longest_edge: int | None = option(
        None,
        "Size of the longer edge, instead of a resolution.",
        min=16,
        max=16383,
        unit="pixels",
    )
    grey: bool = option(default=False, help="Shades of grey instead of colours.")
    ground: Literal["white", "transparent"] = option(
        "white",
        "Behind what is printed on the page.",
        choices={"white": "White, as paper", "transparent": "Transparent"},
    )
    quality: int = option(85, "Of JPEG and WebP: 1 (smallest) to 100 (best).", min=1, max=100)
    notes: bool = option(
        default=True,
        label="Notes and forms",
        help="Draw comments, highlights and what is filled into forms.",
    )

    def __post_init__(self) -> None:
        parse_pages(self.pages, "pages")
        if self.ground == "transparent" and self.format == "jpeg":
            raise refuse("JPEG can't be transparent; choose PNG or WebP.", "ground")


PRESETS = (
    Preset("screen", "Sharp on screens", "PNG, 150 dots per inch.", {}),
    Preset("print", "For print", "PNG, 300 dots per inch; large files.", {"dpi": 300}),
    Preset(
        "web", "For the web: 1600 px", "JPEG of at most 1600 px each.",
        {"format": "jpeg", "longest_edge": 1600},
    ),
    Preset(
        "small", "Thumbnails: 400 px", "Small WebP pictures of all pages.",
        {"format": "webp", "longest_edge": 400, "quality": 80},
    ),
    Preset(
        "grey", "Grey, for reading and text recognition", "PNG, 300 dots per inch, shades of grey.",
        {"dpi": 300, "grey": True},
    ),
    Preset(
        "cutout", "Without paper", "PNG with a transparent ground, 300 dots per inch.",
        {"dpi": 300, "ground": "transparent"},
    ),
)  # fmt: skip


@operation(
    "pdf.pages",
    label="PDF pages as pictures",
    accepts=[PDF],
    options=Pages,
    version=2,
    presets=PRESETS,
    seconds=lambda size: 0.3 + size / 0.4e6,
    needs_memory=lambda size: 320 * 1024**2,
    needs_disk=lambda size: 16 * 1024**2 + 4 * size,
)
def pages(source: Path, step: Context[Pages]) -> Iterator[Output]:
    """Make a picture of each page, as sharp as you like; long documents on all workers at once."""
    from uploads.operations import pdf_pages_make

    if step.part is not None:
        yield from pdf_pages_make.draw(source, step, step.part)
        return
    done: list[PartResult] = []
    for part in pdf_pages_make.plan(source, step):
        made = list(pdf_pages_make.draw(source, step, part.params))
        done.append(PartResult(part.params, [m.path for m in made], [m.meta for m in made]))
    yield from pdf_pages_make.join(source, step, done)


@pages.plan
def plan(source: Path, step: Context[Pages]) -> Sequence[Part]:
    """Put pages together into parts of some seconds of work each."""
    from uploads.operations import pdf_pages_make

    return pdf_pages_make.plan(source, step)


@pages.join
def join(source: Path, step: Context[Pages], parts: Sequence[PartResult]) -> Iterator[Output]:
    """Count and hand on the pictures of all parts, in the order of the pages."""
    from uploads.operations import pdf_pages_make

    yield from pdf_pages_make.join(source, step, parts)
