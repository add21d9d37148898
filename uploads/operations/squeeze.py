"""Makes a picture's file small enough: by its quality first, then by its size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uploads.operations import pixels
from uploads.operations.pixels import QUALITIES, Box, Metadata, Target

# Below these a picture is worth more smaller than worse.
LEAST_QUALITY: dict[Target, int] = {"jpeg": 35, "webp": 30, "avif": 20}
SMALLEST_EDGE = 16
# Tries for the quality (each halves what is left of the scale), and for the size.
QUALITY_TRIES, SIZE_TRIES = 6, 8


def squeeze(
    image: Any,
    path: Path,
    target: Target,
    quality: int | None,
    most_bytes: int,
    how: tuple[Metadata, Sequence[int]],
) -> tuple[Any, str]:
    """Write a picture in at most so many bytes; return it as written, and words of what was done.

    The best quality that fits is written; where the least one does not, the picture is made
    smaller. What can't be made so small at all is left as small as it gets.
    """
    top = quality or QUALITIES.get(target, 0)
    said = ""
    for number in range(SIZE_TRIES):
        found = _best(image, path, target, top, most_bytes, how)
        if found is not None:
            width, height = pixels.size_of(image)
            said = f"Made {width} × {height} pixels to be small enough." if said else ""
            return image, said or ("" if found == top else f"Quality {found} to be small enough.")
        edge = max(pixels.size_of(image))
        if edge <= SMALLEST_EDGE or number == SIZE_TRIES - 1:
            break
        share = (most_bytes / path.stat().st_size) ** 0.5
        edge = max(SMALLEST_EDGE, int(edge * min(0.9, max(0.3, share))))
        image, said = pixels.shrink(image, Box(edge, edge)), "smaller"
    return image, said and "Made as small as it gets."


def _best(
    image: Any,
    path: Path,
    target: Target,
    top: int,
    most_bytes: int,
    how: tuple[Metadata, Sequence[int]],
) -> int | None:
    """Write with the best quality that fits; None, with the least one written, when none does."""

    def fits(quality: int) -> bool:
        pixels.write(image, path, target, quality or None, *how)
        return path.stat().st_size <= most_bytes

    if fits(top):
        return top
    low = min(top, LEAST_QUALITY.get(target, top))
    if low == top or not fits(low):
        return None
    high = top
    for _ in range(QUALITY_TRIES):
        middle = (low + high) // 2
        if middle == low:
            break
        low, high = (middle, high) if fits(middle) else (low, middle)
    fits(low)
    return low
