"""Small copies of pictures and their cosine frequencies, through windows of what a crop leaves.

A small copy is 128 × 128 grey pixels and 8 × 8 coloured ones: enough to tell pictures apart, small
enough to keep those of thousands.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyvips

Window = tuple[float, float]

SIDE, COLOURS = 128, 8
GREY_BYTES = SIDE * SIDE
COPY_BYTES = GREY_BYTES + 3 * COLOURS * COLOURS
WHOLE: Window = (0.0, 1.0)
# What may be left of an edge: all of it, or without a few percent at its start, its end or both.
CROPS: tuple[Window, ...] = (
    *(WHOLE, (0.03, 1.0), (0.0, 0.97), (0.03, 0.97)),
    *((0.06, 1.0), (0.0, 0.94), (0.06, 0.94)),
)


def small_copy(image: Any) -> bytes:
    """Return the small copy of a decoded picture (sRGB or grey), transparent parts as white."""
    image = image.flatten(background=[255] * (image.bands - 1)) if image.hasalpha() else image
    image = image.colourspace("srgb") if image.bands < 3 else image
    grey, colours = _shrunk(image.colourspace("b-w"), SIDE), _shrunk(image, COLOURS)
    return bytes(grey.write_to_memory()) + bytes(colours.write_to_memory())


def _shrunk(image: Any, side: int) -> Any:
    return image.thumbnail_image(side, height=side, size="force").cast("uchar")


def frequencies(count: int, low: float, high: float) -> list[tuple[int, int]]:
    """Return the pairs of waves below `count`, from `low` to below `high` together, lowest first."""
    pairs = [(u, v) for u in range(count) for v in range(count)]
    found = [pair for pair in pairs if low <= math.hypot(*pair) < high]
    return sorted(found, key=lambda pair: (math.hypot(*pair), pair))


@dataclass(frozen=True)
class Spectrum:
    """The frequencies of a picture through some windows of its rows and columns."""

    values: "array[float]"
    width: int
    count: int

    def of(self, pairs: Sequence[tuple[int, int]], row: int = 0, column: int = 0) -> list[float]:
        """Return these frequencies as seen through the windows of these numbers."""
        start = row * self.count * self.width + column * self.count
        return [self.values[start + u * self.width + v] for u, v in pairs]


def spectrum(
    copy: bytes, rows: tuple[Window, ...], columns: tuple[Window, ...], count: int
) -> Spectrum:
    """Return the lowest `count` waves of each edge, through each pair of windows."""
    grey = pyvips.Image.new_from_memory(copy[:GREY_BYTES], SIDE, SIDE, 1, "uchar")
    down, across = _matrices(rows, count)[0], _matrices(columns, count)[1]
    made = down.matrixmultiply(grey).matrixmultiply(across)
    values = array("d")
    values.frombytes(bytes(made.write_to_memory()))
    return Spectrum(values, made.width, count)


@lru_cache(1024)
def _matrices(windows: tuple[Window, ...], count: int) -> tuple[Any, Any]:
    rows = [row for window in windows for row in _waves(window, count)]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return pyvips.Image.new_from_array(rows), pyvips.Image.new_from_array(columns)


def _waves(window: Window, count: int) -> list[list[float]]:
    """Return a row for each cosine of what a window leaves of an edge, summed over each pixel."""
    start, end = window
    rows = [[0.0] * SIDE for _ in range(count)]
    for place in range(SIDE):
        low, high = max(start, place / SIDE), min(end, (place + 1) / SIDE)
        if low >= high:
            continue
        low, high = (low - start) / (end - start), (high - start) / (end - start)
        rows[0][place] = high - low
        for wave in range(1, count):
            turn = math.pi * wave
            rows[wave][place] = (math.sin(turn * high) - math.sin(turn * low)) / turn
    return rows
