"""Encodes pictures inside a PDF again, smaller; what it does not know well it leaves alone."""

import zlib
from dataclasses import dataclass
from typing import Any

import pikepdf
import pyvips
from pikepdf import Array, Name, Stream

from uploads.operations.limits import Limits
from uploads.operations.pdf_file import UNREADABLE
from uploads.operations.pdf_placed import Placed

POINTS_PER_INCH = 72
# Smaller ones are not worth it; nor are a few dots too many, or a few bytes saved.
LEAST_BYTES = 4096
SHARPER, SMALLER = 1.15, 0.92
# Drawings and screenshots stay exact unless a JPEG is so much smaller.
JPEG_INSTEAD = 0.5
BANDS = {"/DeviceGray": 1, "/CalGray": 1, "/DeviceRGB": 3, "/CalRGB": 3}
PACKED = {"/FlateDecode", "/LZWDecode", "/RunLengthDecode", "/ASCII85Decode", "/ASCIIHexDecode"}
# Keys that give the samples another meaning than their colours.
PECULIAR = (Name.Decode, Name.ImageMask, Name.Alternates, Name.OPI, Name.SMaskInData)


@dataclass(frozen=True)
class _Picture:
    """What can be known of a picture before it is decoded."""

    width: int
    height: int
    bands: int
    jpeg: bool


def shrink(placed: Placed, dpi: int, quality: int, limits: Limits) -> bool:
    """Encode one picture again in its place; tells whether that made it smaller."""
    try:
        known = _known(placed.picture, limits)
        if known is None:
            return False
        image = _decoded(placed.picture, known)
        scale = _scale(placed, known, dpi)
        if scale < 1:
            image = image.resize(scale, vscale=scale, kernel="lanczos3")
        return _replace(placed.picture, image, known, quality)
    except (*UNREADABLE, pyvips.Error, zlib.error):
        return False


def _known(picture: Stream, limits: Limits) -> _Picture | None:
    width, height = int(picture.Width), int(picture.Height)
    if len(picture.read_raw_bytes()) < LEAST_BYTES or width * height > limits.image_max_pixels:
        return None
    if any(key in picture for key in PECULIAR) or isinstance(picture.get(Name.Mask), Array):
        return None
    mask = picture.get(Name.SMask)
    if picture.get(Name.BitsPerComponent) != 8 or (mask is not None and Name.Matte in mask):
        return None
    filters = picture.get(Name.Filter)
    names = [str(f) for f in filters] if isinstance(filters, Array) else [str(filters)]
    names = [] if filters is None else names
    jpeg = names[-1:] == ["/DCTDecode"]
    bands = _bands(picture.get(Name.ColorSpace))
    if not bands or (jpeg and (len(names) > 1 or Name.DecodeParms in picture)):
        return None
    if not jpeg and not set(names) <= PACKED:
        return None
    return _Picture(width, height, bands, jpeg)


def _bands(space: Any) -> int:
    """Return 1 or 3 for greys and RGB, with a profile or without, else 0."""
    if isinstance(space, Name):
        return BANDS.get(str(space), 0)
    if not isinstance(space, Array) or not len(space):
        return 0
    if space[0] == Name.ICCBased:
        bands = int(space[1].get(Name.N, 0))
        return bands if bands in {1, 3} else 0
    return BANDS.get(str(space[0]), 0)


def _decoded(picture: Stream, known: _Picture) -> Any:
    if known.jpeg:
        image = pyvips.Image.jpegload_buffer(picture.read_raw_bytes(), fail_on="error")
        if (image.width, image.height, image.bands) != (known.width, known.height, known.bands):
            raise ValueError("the JPEG is not what its document says")
        return image.copy_memory()
    samples = picture.read_bytes(pikepdf.StreamDecodeLevel.generalized)
    size = known.width * known.height * known.bands
    if len(samples) < size:
        raise ValueError("the picture ends early")
    return pyvips.Image.new_from_memory(
        samples[:size], known.width, known.height, known.bands, "uchar"
    ).copy(interpretation="srgb" if known.bands == 3 else "b-w")


def _scale(placed: Placed, known: _Picture, dpi: int) -> float:
    """Return by how much both edges can shrink and still be as sharp as asked for."""
    edges = [(placed.width, known.width), (placed.height, known.height)]
    needed = max(points / POINTS_PER_INCH * dpi / pixels for points, pixels in edges)
    least = max(16 / min(known.width, known.height), 1e-3)
    return 1.0 if needed * SHARPER >= 1 else min(1.0, max(needed, least))


def _replace(picture: Stream, image: Any, known: _Picture, quality: int) -> bool:
    before = len(picture.read_raw_bytes())
    jpeg = image.jpegsave_buffer(Q=quality, optimize_coding=True, keep="none")
    data, kind = jpeg, Name.DCTDecode
    if not known.jpeg:
        packed = zlib.compress(image.write_to_memory(), 9)
        if len(jpeg) > JPEG_INSTEAD * len(packed):
            data, kind = packed, Name.FlateDecode
    if len(data) > SMALLER * before:
        return False
    picture.write(data, filter=kind)
    picture.Width, picture.Height = image.width, image.height
    return True
