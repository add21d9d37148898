"""Lays recognised text unseen under the pages of a document; knows no engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2

from uploads.errors import StepError
from uploads.operations.base import Context, Json


def lay(pdf: pikepdf.Pdf, layers: pikepdf.Pdf, pages: Sequence[Json]) -> None:
    """Put each page's layer beneath what it shows, and turn it upright."""
    for told in pages:
        page = pikepdf.Page(pdf.pages[told["place"]])
        if told["turn"]:
            page.rotate(told["turn"], relative=True)
        if told["layer"] is not None:
            layer = pikepdf.Page(layers.pages[told["layer"]])
            page.add_underlay(layer, pikepdf.Rectangle(page.cropbox))


def check(target: Path, pages: Sequence[Json], step: Context[Any]) -> None:
    """Read the result's text back; raises `StepError` (`verification_failed`) where it is missing."""
    with pypdfium2.PdfDocument(target) as made:
        for told in pages:
            if told["layer"] is None:
                continue
            page = made[told["place"]]
            read = page.get_textpage()
            characters = read.count_chars()
            read.close()
            page.close()
            if not characters:
                reason = f"page {told['place'] + 1} has no text."
                raise StepError("verification_failed", name=step.name, reason=reason)
