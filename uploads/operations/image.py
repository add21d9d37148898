"""The operation `image.convert`: pictures in other formats and sizes; knows no pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from uploads.errors import RequestError
from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option

if TYPE_CHECKING:
    from uploads.operations.pixels import Box, Header, Target

PREVIEW_MAX_EDGE = 480


@dataclass(frozen=True)
class Convert:
    """How pictures come out; a size is the longest edge in pixels, and nothing is enlarged."""

    format: Literal["same", "jpeg", "png", "webp", "avif"] = option(
        "jpeg",
        "Format of the results. “Same” keeps each picture's own; HEIC becomes JPEG.",
        choices={
            "same": "Same as the source",
            "jpeg": "JPEG",
            "png": "PNG",
            "webp": "WebP",
            "avif": "AVIF",
        },
    )
    sizes: tuple[int, ...] = option(
        (),
        "Longest edges, one result each, such as 1600, 320; empty keeps the size.",
        min=16,
        max=16384,
        unit="pixels",
    )
    mode: Literal["fit", "fill"] = option(
        "fit",
        "Fit keeps the whole picture; fill crops its edges to the shape of width × height.",
        choices={"fit": "Fit", "fill": "Fill and crop"},
    )
    width: int | None = option(None, "Width of the box to fit or fill.", min=16, max=16384)
    height: int | None = option(None, "Height of the box to fit or fill.", min=16, max=16384)
    quality: int | None = option(
        None, "1 (smallest) to 100 (best); empty chooses well for the format.", min=1, max=100
    )
    metadata: Literal["strip", "keep", "keep_all"] = option(
        "strip",
        "Camera, date, place and other notes inside the file. Colours and rotation stay right.",
        choices={
            "strip": "Remove all of it",
            "keep": "Keep it, without the place",
            "keep_all": "Keep all of it, the place too",
        },
    )

    def __post_init__(self) -> None:
        if self.mode == "fill" and not (self.width and self.height):
            raise RequestError(
                "invalid_options", reason="Fill needs a width and a height.", field="mode"
            )


PRESETS = (
    Preset(
        "web",
        "For the web: 1600 px and 320 px",
        "Two JPEG files of each picture, without camera data and place.",
        {"format": "jpeg", "sizes": [1600, 320]},
    ),
    Preset(
        "smaller",
        "Smaller files, same size",
        "Each picture in its own format, compressed again.",
        {"format": "same"},
    ),
    Preset(
        "webp", "WebP", "About half of a JPEG's bytes; every browser shows it.", {"format": "webp"}
    ),
    Preset("avif", "AVIF", "The smallest files; takes some ten times as long.", {"format": "avif"}),
    Preset(
        "jpeg", "JPEG for everyone", "Opens everywhere; for HEIC from phones.", {"format": "jpeg"}
    ),
    Preset("png", "PNG", "Every pixel as it is; large files.", {"format": "png"}),
    Preset(
        "square",
        "Square thumbnails: 400 px",
        "Cropped around the middle, as profile pictures are.",
        {"format": "jpeg", "mode": "fill", "width": 400, "height": 400},
    ),
)


@operation(
    "image.convert",
    label="Convert pictures",
    accepts=[
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/avif",
        "image/heic",
        "image/heif",
        "image/tiff",
        "image/gif",
    ],
    options=Convert,
    presets=PRESETS,
    seconds=lambda size: 0.03 + size / 30e6,
    # Twelve megapixels (2.7 MB) take 130 MB; a decoded picture is some ten times its file.
    needs_memory=lambda size: 96 * 1024**2 + min(24 * size, 3 * 1024**3),
)
def convert(source: Path, step: Context[Convert]) -> Iterator[Output]:
    """Change format and size of pictures; colours and rotation right, place removed, never enlarged."""
    from uploads.operations import pixels
    from uploads.operations.preview import preview

    header = pixels.read_header(source, step.name)
    target = _target(step.options, header)
    frames = _frames(header, target, step)
    pixels.refuse_large(header, step.name, step.limits, header.frames if frames else 1)
    wanted = sorted(_wanted(step.options, header), key=lambda entry: -_edge(entry[1]))
    image, damaged = pixels.decode(source, header, step.name, wanted[0][1], frames=frames)
    if damaged:
        step.warn("The file is damaged or ends early; a part of the picture may be missing.")
    facts = {
        "source_width": header.width,
        "source_height": header.height,
        "source_bytes": source.stat().st_size,
    }
    previewed = False
    for place, (name, box) in enumerate(wanted):
        step.report(0.3 + 0.6 * place / len(wanted))
        sized = image if box is None or place == 0 else pixels.shrink(image, box)
        path = step.path(name + pixels.SUFFIXES[target])
        pixels.write(sized, path, target, step.options.quality, step.options.metadata)
        width, height = pixels.size_of(sized)
        small = max(width, height) <= PREVIEW_MAX_EDGE and target != "tiff" and not previewed
        previewed = previewed or small
        meta: dict[str, Any] = {"width": width, "height": height, **facts}
        yield Output(path, meta={**meta, "preview": True} if small else meta)
    if not previewed:
        yield preview(image, step)


def _target(options: Convert, header: "Header") -> "Target":
    if options.format != "same":
        return options.format
    return "jpeg" if header.kind == "heic" else header.kind


def _frames(header: "Header", target: "Target", step: Context[Convert]) -> bool:
    """Tell whether every frame is kept; says so where only the first one is."""
    from uploads.operations.pixels import ANIMATED

    if header.frames == 1:
        return False
    if header.kind in ANIMATED and target in ANIMATED and step.options.mode == "fit":
        return True
    step.warn(f"Only the first of {header.frames} pictures in the file was converted.")
    return False


def _wanted(options: Convert, header: "Header") -> "list[tuple[str, Box | None]]":
    """Return the names (without suffix) of the results and the box of each."""
    from uploads.operations.pixels import LONGEST_EDGE, Box

    fill = options.mode == "fill"
    width, height = options.width or LONGEST_EDGE, options.height or LONGEST_EDGE
    boxed = options.width or options.height
    if not options.sizes:
        box = Box(width, height, fill).within(header) if boxed else None
        return [("source", box)]
    wanted: list[tuple[str, Box | None]] = []
    for size in dict.fromkeys(options.sizes):
        scale = size / max(width, height)
        box = Box(round(width * scale), round(height * scale), True) if fill else Box(size, size)
        wanted.append((f"source-{size}", box.within(header)))
    return wanted


def _edge(box: "Box | None") -> float:
    return float("inf") if box is None else max(box.width, box.height)
