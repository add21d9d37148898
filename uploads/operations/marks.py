"""Draws a logo or a text over pictures with libvips; knows no options but those of a watermark."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyvips

from uploads.errors import StepError
from uploads.operations import pixels
from uploads.operations.base import Context, Output
from uploads.operations.preview import preview

if TYPE_CHECKING:
    from uploads.operations.watermark import Watermark

FONT = "sans bold"
# Text is drawn this high and then made as wide as it has to be.
TEXT_DPI = 600
EDGE_SHARE = 0.04
SLANT_DEGREES = -30
ROW_GAP = 1.6
LIGHT, DARK = 255, 0


def watermark(source: Path, step: "Context[Watermark]") -> Iterator[Output]:
    """Write one marked picture and its preview; raises `InputError` for a picture that is none."""
    options = step.options
    header = pixels.read_header(source, step.name)
    pixels.refuse_large(header, step.name, step.limits)
    target = _target(options.format, header.kind)
    pixels.refuse_long(header.width, header.height, target, step.name)
    if header.frames > 1:
        step.warn(f"Only the first of {header.frames} pictures in the file was marked.")
    image, damaged = pixels.decode(source, header, step.name, None, frames=False)
    if damaged:
        step.warn("The file is damaged or ends early; a part of the picture may be missing.")
    step.report(0.4)
    marked = _marked(image, _mark(image, step), options)
    path = step.path("source" + pixels.SUFFIXES[target])
    step.report(0.6)
    pixels.write(marked, path, target, options.quality, options.metadata)
    width, height = pixels.size_of(marked)
    yield Output(
        path, meta={"width": width, "height": height, "source_bytes": source.stat().st_size}
    )
    yield preview(marked, step)


def _target(wanted: str, kind: str) -> pixels.Target:
    chosen = kind if wanted == "same" else wanted
    known: dict[str, pixels.Target] = {"jpeg": "jpeg", "png": "png", "webp": "webp"}
    return known.get(chosen, "jpeg")


def _mark(image: Any, step: "Context[Watermark]") -> Any:
    """Return the mark in sRGB with transparency, as wide as the options want it."""
    options = step.options
    wide = max(1, round(image.width * options.size / 100))
    mark = _logo(options.logo, wide, image.height, step) if options.logo else _text(options, wide)
    if mark.height > image.height:
        mark = mark.thumbnail_image(wide, height=image.height)
    strength = options.opacity / 100
    return (mark * [1, 1, 1, strength]).cast("uchar").copy(interpretation="srgb")


def _logo(path: Path, wide: int, high: int, step: "Context[Watermark]") -> Any:
    """Read the owner's logo, enlarged if it must be."""
    name = "The logo"
    header = pixels.read_header(path, name)
    pixels.refuse_large(header, name, step.limits)
    image, _ = pixels.decode(path, header, name, None, frames=False)
    image = image.thumbnail_image(wide, height=high)
    if image.interpretation != "srgb":
        image = image.colourspace("srgb")
    return image if image.hasalpha() else image.bandjoin(255)


def _text(options: "Watermark", wide: int) -> Any:
    """Draw a line of text with a soft edge of the opposite colour."""
    # Without any font tiny boxes are drawn, which nobody wants on a picture.
    if pyvips.Image.text("Hg", font=FONT, dpi=TEXT_DPI).height < TEXT_DPI // 12:
        reason = "no font is installed on the server; a logo needs none."
        raise StepError("tool_failed", tool="The text", reason=reason)
    words = options.text.replace("&", "&amp;").replace("<", "&lt;")
    drawn = pyvips.Image.text(words, font=FONT, dpi=TEXT_DPI)
    edge = max(2, round(drawn.height * EDGE_SHARE))
    letters = drawn.embed(2 * edge, 2 * edge, drawn.width + 4 * edge, drawn.height + 4 * edge)
    scale = wide / letters.width
    letters = letters.resize(scale)
    ground = letters.gaussblur(max(0.6, edge * scale)).linear(1.6, 0).cast("uchar")
    front, back = (LIGHT, DARK) if options.colour == "light" else (DARK, LIGHT)
    colour = letters.ifthenelse(front, back, blend=True)
    alpha = (letters > ground).ifthenelse(letters, ground)
    return colour.bandjoin([colour, colour, alpha]).copy(interpretation="srgb")


def _marked(image: Any, mark: Any, options: "Watermark") -> Any:
    """Lay the mark over a picture."""
    grey = image.interpretation == "b-w"
    base = image.colourspace("srgb") if grey else image
    base = base.cast("uchar") if base.format != "uchar" else base
    if options.place == "everywhere":
        cover = _rows(mark, base.width, base.height)
        x = y = 0
    else:
        cover = mark
        x, y = _corner(base, mark, options)
    alpha = base.hasalpha()
    laid = base.composite2(cover, "over", x=x, y=y).cast("uchar")
    return laid if alpha else laid.extract_band(0, n=3).copy(interpretation="srgb")


def _corner(base: Any, mark: Any, options: "Watermark") -> tuple[int, int]:
    margin = round(min(base.width, base.height) * options.margin / 100)
    right, low = base.width - mark.width - margin, base.height - mark.height - margin
    middle = ((base.width - mark.width) // 2, (base.height - mark.height) // 2)
    place = options.place
    x = margin if "left" in place else right if "right" in place else middle[0]
    y = margin if "top" in place else low if "bottom" in place else middle[1]
    return max(0, x), max(0, y)


def _rows(mark: Any, width: int, height: int) -> Any:
    """Repeat the mark in slanting rows over so much room."""
    cell = mark.embed(0, 0, round(mark.width * ROW_GAP), round(mark.height * 2 * ROW_GAP))
    shifted = cell.wrap(x=cell.width // 2)
    block = cell.join(shifted, "vertical")
    side = round((width**2 + height**2) ** 0.5) + 2
    tiled = block.replicate(side // block.width + 2, side // block.height + 2)
    turned = tiled.crop(0, 0, side, side).rotate(SLANT_DEGREES)
    left, top = (turned.width - width) // 2, (turned.height - height) // 2
    return turned.crop(left, top, width, height).cast("uchar").copy(interpretation="srgb")
