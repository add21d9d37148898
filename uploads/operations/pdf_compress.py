"""The operation `pdf.compress`: smaller documents that look the same; knows no qpdf."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option
from uploads.operations.pdf_pages import PDF


@dataclass(frozen=True)
class Compress:
    """What may be given up for fewer bytes; text and drawings stay exact."""

    images: bool = option(
        default=True, label="Pictures", help="Encode the pictures inside again; text stays exact."
    )
    dpi: int = option(
        150, "Pictures that are sharper than this on their page are made smaller.",
        label="Resolution", min=36, max=1200, unit="dots per inch",
    )  # fmt: skip
    quality: int = option(72, "Of the pictures: 1 (smallest) to 100 (best).", min=1, max=100)


PRESETS = (
    Preset("screen", "For screens and e-mail", "Pictures of 150 dots per inch; text stays exact.", {}),
    Preset("print", "For print", "Pictures of 300 dots per inch, good quality.", {"dpi": 300, "quality": 85}),
    Preset("smallest", "As small as can be read", "Pictures of 96 dots per inch.", {"dpi": 96, "quality": 50}),
    Preset("exact", "Without any loss", "Only packed better; every picture stays as it is.", {"images": False}),
)  # fmt: skip


@operation(
    "pdf.compress",
    label="Compress PDFs",
    accepts=[PDF],
    options=Compress,
    version=2,
    presets=PRESETS,
    seconds=lambda size: 0.5 + size / 3e6,
    needs_memory=lambda size: 384 * 1024**2 + min(2 * size, 2 * 1024**3),
    needs_disk=lambda size: 4 * 1024**2 + 3 * size,
)
def compress(source: Path, step: Context[Compress]) -> Iterator[Output]:
    """Make documents smaller: pictures as sharp as needed, the rest packed better; never larger."""
    from uploads.operations import pdf_compress_make

    yield from pdf_compress_make.compress(source, step)
