"""Makes the results of one picture: sized, turned, small enough; imported when there is work."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.errors import InputError
from uploads.operations import pixels
from uploads.operations.base import Context, Json, Output
from uploads.operations.pixels import ANIMATED, LONGEST_EDGE, Box, Header, Target
from uploads.operations.preview import preview
from uploads.operations.squeeze import squeeze

if TYPE_CHECKING:
    from uploads.operations.image import Convert

PREVIEW_MAX_EDGE = 480
CROPS: dict[str, pixels.Crop] = {"fill": "centre", "smart": "attention"}
TURNS = {"right": "d90", "left": "d270", "half": "d180"}
QUARTERS = ("right", "left")


def convert(source: Path, step: "Context[Convert]") -> Iterator[Output]:
    """Write all sizes of one picture and a preview; raises `InputError` for what is none."""
    options = step.options
    header = pixels.read_header(source, step.name)
    target = _target(options, header)
    frames = _frames(header, target, step)
    pixels.refuse_large(header, step.name, step.limits, header.frames if frames else 1)
    seen = _seen(header, options)
    wanted = sorted(_wanted(options, seen), key=lambda entry: -_edge(entry[1]))
    for _, box in wanted:
        _refuse_size(*_size(box, seen, options), header.frames if frames else 1, target, step)
    first = wanted[0][1]
    box = first.turned() if first and options.turn in QUARTERS else first
    image, damaged = pixels.decode(source, header, step.name, box, frames=frames)
    if damaged:
        step.warn("The file is damaged or ends early; a part of the picture may be missing.")
    image = _turned(image, options)
    facts: Json = {
        "source_width": header.width,
        "source_height": header.height,
        "source_bytes": source.stat().st_size,
    }
    previewed = False
    for place, (name, box) in enumerate(wanted):
        step.report(0.3 + 0.6 * place / len(wanted))
        sized = image if box is None or place == 0 else pixels.shrink(image, box)
        sized = _bordered(sized, box, options, target) if box else sized
        path = step.path(name + pixels.SUFFIXES[target])
        sized = _write(sized, path, target, step)
        width, height = pixels.size_of(sized)
        small = max(width, height) <= PREVIEW_MAX_EDGE and target != "tiff"
        previewed = previewed or small
        meta: Json = {"width": width, "height": height, **facts}
        # The largest stands for its picture, however small it is.
        yield Output(path, meta={**meta, "preview": True} if small and place else meta)
    if not previewed:
        flat = target == "jpeg" and sized.hasalpha()
        yield preview(sized.flatten(background=_colour(options)) if flat else sized, step)


def _target(options: "Convert", header: Header) -> Target:
    if options.format != "same":
        return options.format
    return "jpeg" if header.kind == "heic" else header.kind


def _frames(header: Header, target: Target, step: "Context[Convert]") -> bool:
    """Tell whether every frame is kept; says so where only the first one is."""
    options = step.options
    if header.frames == 1:
        return False
    plain = options.mode in {"fit", "percent"} and options.turn == options.flip == "none"
    if header.kind in ANIMATED and target in ANIMATED and plain:
        return True
    step.warn(f"Only the first of {header.frames} pictures in the file was converted.")
    return False


def _seen(header: Header, options: "Convert") -> Header:
    """Return the header of the picture as it will be turned."""
    if options.turn not in QUARTERS:
        return header
    return replace(header, width=header.height, height=header.width)


def _wanted(options: "Convert", header: Header) -> list[tuple[str, Box | None]]:
    """Return the names (without suffix) of the results and the box of each."""
    if options.mode == "percent":
        width, height = (
            max(1, round(edge * options.percent / 100)) for edge in (header.width, header.height)
        )
        return [("source", Box(width, height, resize="force"))]
    room = max(LONGEST_EDGE, header.width, header.height)
    width, height = options.width or room, options.height or room
    boxed = options.width or options.height
    if not options.sizes:
        return [("source", _box(width, height, options).within(header) if boxed else None)]
    wanted: list[tuple[str, Box | None]] = []
    for size in dict.fromkeys(options.sizes):
        scale = size / max(width, height)
        shaped = options.mode != "fit"
        edges = (size, size)
        if shaped:
            edges = max(1, round(width * scale)), max(1, round(height * scale))
        wanted.append((f"source-{size}", _box(*edges, options).within(header)))
    return wanted


def _box(width: int, height: int, options: "Convert") -> Box:
    crop = CROPS.get(options.mode, "none")
    resize: pixels.Resize = "both" if options.enlarge else "down"
    return Box(width, height, crop, "force" if options.mode == "stretch" else resize)


def _size(box: Box | None, seen: Header, options: "Convert") -> tuple[int, int]:
    """Return width and height of the result that a box gives."""
    if box is None:
        return seen.width, seen.height
    if options.mode != "fit":
        return box.width, box.height
    scale = min(box.width / seen.width, box.height / seen.height)
    scale = scale if options.enlarge else min(1.0, scale)
    return max(1, round(seen.width * scale)), max(1, round(seen.height * scale))


def _refuse_size(
    width: int, height: int, frames: int, target: Target, step: "Context[Convert]"
) -> None:
    """Raise `InputError` for a result that its format, or the memory here, can't hold."""
    pixels.refuse_long(width, height, target, step.name)
    most = step.limits.image_max_pixels
    if width * height * frames > most:
        wrong = (
            f"“{step.name}” would become {width} × {height} pixels; at most {most / 1e6:g} "
            "megapixels are allowed."
        )
        raise InputError.because(wrong, "Choose a smaller size.")


def _edge(box: Box | None) -> float:
    return float("inf") if box is None else max(box.width, box.height)


def _turned(image: Any, options: "Convert") -> Any:
    image = image.rot(TURNS[options.turn]) if options.turn != "none" else image
    return image if options.flip == "none" else image.flip(options.flip)


def _bordered(image: Any, box: Box, options: "Convert", target: Target) -> Any:
    """Put a picture into the middle of its box; the border is transparent where the format can be."""
    if options.mode != "pad":
        return image
    colour = _colour(options)
    if image.hasalpha() and target != "jpeg":
        colour = [*colour, 0]
    if image.bands != len(colour):
        image = image.colourspace("srgb") if image.bands < 3 else image
        colour = [*colour, 255] if image.hasalpha() and len(colour) == 3 else colour
    return image.gravity("centre", box.width, box.height, extend="background", background=colour)


def _colour(options: "Convert") -> list[int]:
    return list(bytes.fromhex(options.background[1:]))


def _write(image: Any, path: Path, target: Target, step: "Context[Convert]") -> Any:
    """Write a picture, small enough if that is asked for; return it as it was written."""
    options = step.options
    how = (options.metadata, _colour(options))
    if options.max_kb is None:
        pixels.write(image, path, target, options.quality, *how)
        return image
    made, said = squeeze(image, path, target, options.quality, options.max_kb * 1000, how)
    if said:
        step.log(f"{path.name.removeprefix('source')}: {said}" if len(options.sizes) > 1 else said)
    if path.stat().st_size > options.max_kb * 1000:
        step.warn(f"It has {path.stat().st_size // 1000} kB; smaller was not possible.")
    return made
