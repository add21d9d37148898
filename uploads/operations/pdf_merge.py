"""The operations `pdf.merge` and `pdf.from_images`: many files become one document; know no qpdf."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.image import ACCEPTED
from uploads.operations.options import option
from uploads.operations.pdf_pages import PDF

PAPERS = {
    "a4": "A4",
    "letter": "US Letter",
    "picture": "As large as the picture",
}


@dataclass(frozen=True)
class Merge:
    """How documents are put together."""

    bookmarks: bool = option(
        default=True, help="A bookmark for each file, with the file's own bookmarks below it."
    )
    right_hand: bool = option(
        default=False,
        label="Begin on right-hand pages",
        help="An empty page after files with an odd number of pages, for printing on both sides.",
    )
    paper: Literal["a4", "letter", "picture"] = option(
        "a4", "Page of a picture that is among the files.", choices=PAPERS, label="Pictures on"
    )


MERGE_PRESETS = (
    Preset(
        "one", "One document", "All files in their order; a bookmark for each.", {}
    ),
    Preset(
        "duplex", "One document, for printing on both sides",
        "Each file begins on a right-hand page.", {"right_hand": True},
    ),
    Preset(
        "plain", "Pages only", "Without bookmarks.", {"bookmarks": False}
    ),
)  # fmt: skip


@operation(
    "pdf.merge",
    label="Merge PDFs",
    accepts=[PDF, *ACCEPTED],
    options=Merge,
    takes="all",
    version=3,
    presets=MERGE_PRESETS,
    seconds=lambda size: 0.3 + size / 20e6,
    needs_memory=lambda size: 256 * 1024**2 + min(size // 2, 2 * 1024**3),
    needs_disk=lambda size: 1024**2 + 3 * size,
)
def merge(sources: Sequence[Path], step: Context[Merge]) -> Iterator[Output]:
    """Put documents and pictures together into one PDF, in their order; links and forms go on working."""
    from uploads.operations import pdf_merge_make

    yield from pdf_merge_make.merge(sources, step)


@dataclass(frozen=True)
class FromImages:
    """How pictures become pages."""

    paper: Literal["a4", "letter", "picture"] = option("a4", "Size of the pages.", choices=PAPERS)
    margin: int = option(0, "White around each picture.", min=0, max=80, unit="mm")
    turn_paper: bool = option(
        default=True,
        label="Turn the paper",
        help="Wide pictures lie on wide pages.",
    )


IMAGE_PRESETS = (
    Preset(
        "paper", "A4, full page", "Each picture as large as its page; wide ones on wide pages.", {}
    ),
    Preset("margin", "A4 with a margin", "15 mm of white around each picture.", {"margin": 15}),
    Preset("letter", "US Letter, full page", "As is usual in America.", {"paper": "letter"}),
    Preset(
        "picture", "Pages as large as the pictures", "Nothing is added; for scans and comics.",
        {"paper": "picture"},
    ),
)  # fmt: skip


@operation(
    "pdf.from_images",
    label="Pictures to PDF",
    accepts=ACCEPTED,
    options=FromImages,
    takes="all",
    version=3,
    presets=IMAGE_PRESETS,
    seconds=lambda size: 0.3 + size / 30e6,
    needs_memory=lambda size: 512 * 1024**2,
    needs_disk=lambda size: 1024**2 + 3 * size,
)
def from_images(sources: Sequence[Path], step: Context[FromImages]) -> Iterator[Output]:
    """Make one PDF of all pictures, a page each, in their order; JPEGs keep every bit."""
    from uploads.operations import pdf_merge_make

    yield from pdf_merge_make.from_images(sources, step)
