"""Draws contact sheets with libvips: one page in memory at a time; imported when there is work."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyvips

from uploads.errors import InputError, remedy, sentence
from uploads.operations import pixels
from uploads.operations.base import Context, Output
from uploads.operations.pixels import Box
from uploads.operations.preview import preview

if TYPE_CHECKING:
    from uploads.operations.sheet import Sheet

FONT = "sans"
# How light a background must be for dark words.
LIGHT = 140
QUALITY = 85


def make(sources: Sequence[Path], step: "Context[Sheet]") -> Iterator[Output]:
    """Write the pages; a picture that can't be read is left out with a warning.

    Raises the `InputError` of the first one when not a single one can.
    """
    page = _Page(step)
    cells: list[Any] = []
    number = 0
    for place, source in enumerate(sources):
        step.report(0.95 * place / len(sources), f"{place} of {len(sources)} pictures")
        cell = page.cell(source, step.sources[place].name)
        cells += [cell] if cell is not None else []
        if len(cells) == page.holds:
            number += 1
            yield from page.write(cells, number)
            cells = []
    if cells:
        number += 1
        yield from page.write(cells, number)
    if page.first_error is not None and not number:
        raise page.first_error


class _Page:
    """The measures of a page, and its drawing."""

    def __init__(self, step: "Context[Sheet]") -> None:
        self.step = step
        options = step.options
        self.holds = options.columns * options.rows
        self.edge = options.cell
        self.gap = options.gap
        self.colour = list(bytes.fromhex(options.background[1:]))
        self.ink = 40 if sum(self.colour) / 3 > LIGHT else 225
        self.first_error: InputError | None = None
        self.caption = 0
        if options.caption and _can_write():
            self.caption = options.caption
        elif options.caption:
            step.warn("No font is installed on the server: the names were left out.")

    def cell(self, source: Path, name: str) -> Any | None:
        """Return one small picture on its ground, with its caption; None when it can't be read."""
        try:
            header = pixels.read_header(source, name)
            pixels.refuse_large(header, name, self.step.limits)
            box = Box(self.edge, self.edge)
            image, damaged = pixels.decode(source, header, name, box, frames=False)
        except InputError as error:
            said = f"{sentence(error.code, error.values)} {remedy(error.code, error.values)}"
            self.step.warn(f"Left out: {said}")
            self.first_error = self.first_error or error
            return None
        if damaged:
            self.step.warn(f"“{name}” is damaged or ends early.")
        return self._framed(image, name)

    def _framed(self, image: Any, name: str) -> Any:
        image = image.colourspace("srgb") if image.bands < 3 else image
        image = image.flatten(background=self.colour) if image.hasalpha() else image
        image = image.gravity(
            "centre", self.edge, self.edge, extend="background", background=self.colour
        )
        if not self.caption:
            return image.copy_memory()
        written = image.embed(
            0, 0, self.edge, self.edge + self.caption, extend="background", background=self.colour
        )
        words = self._words(name)
        left = max(0, (self.edge - words.width) // 2)
        ink = (words.new_from_image([self.ink] * 3)).copy(interpretation="srgb")
        top = self.edge + max(0, (self.caption - words.height) // 2)
        return written.composite2(ink.bandjoin(words), "over", x=left, y=top)[0:3].copy_memory()

    def _words(self, name: str) -> Any:
        """Return a name as a mask of one line, its middle left out where it is too long."""
        height = max(8, round(self.caption * 0.62))
        kept = name
        while True:
            mask = pyvips.Image.text(_plain(kept), font=f"{FONT} {height}", dpi=72)
            if mask.width <= self.edge or len(kept) <= 5:
                return mask
            half = max(2, int(len(kept) * self.edge / mask.width / 2) - 1)
            kept = f"{name[:half]}…{name[-half:]}"

    def write(self, cells: list[Any], number: int) -> Iterator[Output]:
        """Write one page, as high as it has to be; the first one is what pages show of them all."""
        options = self.step.options
        joined = pyvips.Image.arrayjoin(
            cells, across=min(options.columns, len(cells)), shim=self.gap, background=self.colour
        )
        width, height = joined.width + 2 * self.gap, joined.height + 2 * self.gap
        page = joined.gravity(
            "centre", width, height, extend="background", background=self.colour
        ).copy(interpretation="srgb")
        page = page.cast("uchar")  # the cells are in memory already
        path = self.step.path(f"source-{number}{pixels.SUFFIXES[options.format]}")
        pixels.write(page, path, options.format, QUALITY, "strip")
        yield Output(path, meta={"width": width, "height": height, "pictures": len(cells)})
        if number == 1:
            yield preview(page, self.step)


def _plain(text: str) -> str:
    """Return text that Pango takes literally."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _can_write() -> bool:
    """Tell whether there is a font: without one libvips draws tiny boxes."""
    return bool(pyvips.Image.text("Hg", font=f"{FONT} 40", dpi=72).height >= 20)
