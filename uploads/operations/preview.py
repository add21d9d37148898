"""The small picture that pages show of a result."""

from typing import Any

from uploads.operations import pixels
from uploads.operations.base import Context, Output

EDGE = 320


def preview(image: Any, step: Context[Any], stem: str = "source") -> Output:
    """Write a decoded picture at most 320 pixels long: WebP where it is transparent or moves.

    `stem` is the name, without its ending, of the one result that it shows.
    """
    small = pixels.shrink(image, pixels.Box(EDGE, EDGE))
    target: pixels.Target = "webp" if small.hasalpha() or small.get_n_pages() > 1 else "jpeg"
    path = step.path(f"{stem}-preview{pixels.SUFFIXES[target]}")
    pixels.write(small, path, target, None, "strip")
    width, height = pixels.size_of(small)
    return Output(path, role="preview", meta={"width": width, "height": height})
