"""Crops one picture with libvips; imported when there is work."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.errors import InputError, StepError
from uploads.operations import pixels
from uploads.operations.base import Context, Json, Output
from uploads.operations.pixels import QUALITIES, SUFFIXES, Target
from uploads.operations.preview import preview

if TYPE_CHECKING:
    from uploads.operations.crop import Crop

EXACT = {"png", "gif"}
# What is found in so many pixels either way may be a speck.
SPECK_PIXELS = 3
Box = tuple[int, int, int, int]  # left, top, width, height


def make(source: Path, step: "Context[Crop]") -> Iterator[Output]:
    """Write the part and a preview; raises `InputError` for what is no picture or holds no such box."""
    header = pixels.read_header(source, step.name)
    pixels.refuse_large(header, step.name, step.limits)
    step.report(0.1, "reading")
    image, damaged = pixels.decode(source, header, step.name, None, frames=False)
    if damaged:
        step.warn("The file is damaged or ends early; a part of the picture may be missing.")
    if header.frames > 1:
        step.warn(f"Only the first of {header.frames} pictures in the file was cropped.")
    step.report(0.5, "cropping")
    part = image.crop(*_box(image, step, header.kind))
    target: Target = "jpeg" if header.kind == "heic" else header.kind
    path = step.path(f"source{SUFFIXES[target]}")
    options = step.options
    pixels.refuse_long(part.width, part.height, target, step.name)
    quality = options.quality if target in QUALITIES else None
    pixels.write(part, path, target, quality, options.metadata)
    _check(path, part, step)
    facts: Json = {"width": part.width, "height": part.height}
    facts |= {"source_width": header.width, "source_height": header.height}
    yield Output(path, meta=facts)
    yield preview(part, step)


def _box(image: Any, step: "Context[Crop]", kind: str) -> Box:
    if step.options.box:
        return _asked(image, step)
    if step.options.how == "shape":
        return _shaped(image, step)
    # A speck of dust on a scan does not count, but a thin line of a drawing or a screenshot does.
    lines = kind in EXACT or min(image.width, image.height) < SPECK_PIXELS
    return _trimmed(image, step, lines=lines)


def _asked(image: Any, step: "Context[Crop]") -> Box:
    """Return the box that was asked for, as far as the picture reaches."""
    edges = (image.width, image.height, image.width, image.height)
    left, top, width, height = (
        round(value * edge / 100 if percent else value)
        for (value, percent), edge in zip(step.options.sides, edges, strict=True)
    )
    width, height = min(width, image.width - left), min(height, image.height - top)
    if width < 1 or height < 1:
        wrong = f"“{step.name}” has {image.width} × {image.height} pixels; the box lies outside."
        raise InputError.because(wrong, "Choose a box within the picture, or one in percent.")
    return left, top, width, height


def _shaped(image: Any, step: "Context[Crop]") -> Box:
    """Return the largest box of the shape, in its place."""
    across, down = (int(part) for part in step.options.shape.split(":"))
    scale = min(image.width / across, image.height / down)
    width, height = max(1, round(across * scale)), max(1, round(down * scale))
    width, height = min(width, image.width), min(height, image.height)
    left, top = image.width - width, image.height - height
    place = step.options.place
    if place == "attention":
        _, found = image.smartcrop(
            width, height, interesting="attention", attention_x=True, attention_y=True
        )
        half = (found["attention_x"] - width // 2, found["attention_y"] - height // 2)
        return min(left, max(0, half[0])), min(top, max(0, half[1])), width, height
    share = {"centre": 0.5, "low": 0.0, "high": 1.0}[place]
    return round(left * share), round(top * share), width, height


def _trimmed(image: Any, step: "Context[Crop]", *, lines: bool) -> Box:
    """Return what lies within a border of the colour of the first corner, with its margin."""
    options = step.options
    corner = image.getpoint(0, 0)
    if image.hasalpha() and corner[-1] == 0:
        left, top, width, height = image[image.bands - 1].find_trim(
            threshold=options.tolerance, background=[0], line_art=lines
        )
    else:
        plain = image[0 : image.bands - 1] if image.hasalpha() else image
        ground = corner[: plain.bands]
        left, top, width, height = plain.find_trim(
            threshold=options.tolerance, background=ground, line_art=lines
        )
    if not width or not height:
        step.warn("There is nothing but border: it was left as it is.")
        return 0, 0, image.width, image.height
    if (width, height) == (image.width, image.height):
        step.log("There is no border of one colour.")
    right = min(image.width, left + width + options.margin)
    bottom = min(image.height, top + height + options.margin)
    left, top = max(0, left - options.margin), max(0, top - options.margin)
    return left, top, right - left, bottom - top


def _check(path: Path, part: Any, step: "Context[Crop]") -> None:
    """Raise `StepError` (`verification_failed`) unless the file reads back in the part's size."""
    made = pixels.read_header(path, step.name)
    if (made.width, made.height) != (part.width, part.height):
        reason = f"it has {made.width} × {made.height} pixels."
        raise StepError("verification_failed", name=step.name, reason=reason)
