"""The operation `pdf.text`: the text of documents, page by page; knows no PDFium."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option
from uploads.operations.page_ranges import parse_pages
from uploads.operations.pdf_pages import PDF


@dataclass(frozen=True)
class Text:
    """Which text, and how it is written down."""

    pages: str = option(
        "",
        "Such as 1-3, 7, 10-; empty for all.",
        label="Which pages?",
        max_length=400,
        main=True,
    )
    format: Literal["text", "json"] = option(
        "text",
        "JSON tells where on its page each line stands.",
        choices={"text": "Plain text", "json": "JSON, with places"},
    )
    breaks: Literal["feed", "line", "none"] = option(
        "feed",
        "In plain text.",
        label="Between pages",
        choices={
            "feed": "A form feed, as programs expect",
            "line": "A line with the page's number",
            "none": "An empty line",
        },
    )

    def __post_init__(self) -> None:
        parse_pages(self.pages, "pages")


PRESETS = (
    Preset("plain", "Plain text", "One text file for each document; a form feed after each page.", {}),
    Preset(
        "numbered", "Plain text with page numbers", "A line such as “— 7 —” before each page.",
        {"breaks": "line"},
    ),
    Preset(
        "places", "JSON with places", "Every line with its page and its place on it.",
        {"format": "json"},
    ),
)  # fmt: skip


@operation(
    "pdf.text",
    label="Text of PDFs",
    accepts=[PDF],
    options=Text,
    presets=PRESETS,
    seconds=lambda size: 0.2 + size / 3e6,
    needs_disk=lambda size: 4 * 1024**2 + size,
)
def text(source: Path, step: Context[Text]) -> Iterator[Output]:
    """Take the text out of documents, page by page; tells which pages are only pictures of text."""
    from uploads.operations import pdf_text_make

    yield from pdf_text_make.make(source, step)
