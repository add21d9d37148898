"""The operation `pdf.split`: one document becomes several; knows no qpdf."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option
from uploads.operations.page_ranges import parse_pages
from uploads.operations.pdf_pages import PDF


@dataclass(frozen=True)
class Split:
    """Where a document is divided."""

    ranges: str = option(
        "",
        "Such as 1-3, 4-9, 12-: a file for each. Empty: the whole document, divided as chosen below.",
        label="Which pages?",
        max_length=800,
        main=True,
    )
    by: Literal["every", "bookmarks", "size"] = option(
        "every",
        "How the whole document is divided.",
        choices={
            "every": "After so many pages",
            "bookmarks": "At its bookmarks",
            "size": "Into files of at most so many megabytes",
        },
    )
    every: int = option(1, "Pages of each file.", label="After", min=1, max=10_000, unit="pages")
    depth: int = option(
        1, "1 divides at chapters alone, 2 at what is below them too.",
        label="Depth of bookmarks", min=1, max=6,
    )  # fmt: skip
    max_mb: float = option(
        10, "Most megabytes of each file; a single page may be larger.",
        label="Largest file", min=0.01, max=100_000, unit="MB",
    )  # fmt: skip

    def __post_init__(self) -> None:
        parse_pages(self.ranges, "ranges")


PRESETS = (
    Preset("pages", "Every page a file", "Or, with pages above, a file for each range.", {}),
    Preset("pairs", "Two pages each", "For scans of both sides.", {"every": 2}),
    Preset(
        "chapters", "At its bookmarks", "A file for each chapter, named as it is.",
        {"by": "bookmarks"},
    ),
    Preset(
        "mail", "For e-mail: at most 10 MB each", "As many pages in each file as fit.",
        {"by": "size", "max_mb": 10},
    ),
)  # fmt: skip


@operation(
    "pdf.split",
    label="Split PDFs",
    accepts=[PDF],
    options=Split,
    version=2,
    presets=PRESETS,
    seconds=lambda size: 0.3 + size / 5e6,
    needs_memory=lambda size: 256 * 1024**2 + min(size // 2, 2 * 1024**3),
    needs_disk=lambda size: 4 * 1024**2 + 3 * size,
)
def split(source: Path, step: Context[Split]) -> Iterator[Output]:
    """Divide a document by ranges, pages, bookmarks or size; each file holds only what its pages need."""
    from uploads.operations import pdf_split_make

    yield from pdf_split_make.split(source, step)
