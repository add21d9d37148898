"""Reads HEIC by libheif, which libvips has without a decoder for it; imported as `pixels` is."""

from pathlib import Path
from typing import Any

import pyvips

BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
# What pillow-heif raises for damaged files; libvips has an error of its own.
UNREADABLE = (ValueError, SyntaxError, OSError, EOFError, RuntimeError, LookupError)


def opened(source: Path) -> Any:
    """Open a file without decoding it; raises one of `UNREADABLE`."""
    import pillow_heif  # libheif with an HEVC decoder; the one in pyvips-binary has AV1 alone

    return pillow_heif.open_heif(source, convert_hdr_to_8bit=True)


def pixels(source: Path) -> Any:
    """Decode a file, turned as it is seen, with its profile and notes; raises one of `UNREADABLE`."""
    file = opened(source)
    bands, size = {"L": (1, 1), "LA": (2, 1), "RGB": (3, 1), "RGBA": (4, 1), "I;16": (1, 2)}[
        file.mode
    ]
    width, height = file.size
    # A row may be padded: read rows as wide as the stride, then cut the padding off.
    row = file.stride // (bands * size)
    depth = "ushort" if size == 2 else "uchar"
    image = pyvips.Image.new_from_memory(file.data, row, height, bands, depth)
    image = image.crop(0, 0, width, height)
    grey = "grey16" if size == 2 else "b-w"
    image = image.copy(interpretation="srgb" if bands > 2 else grey)
    notes = (("icc-profile-data", "icc_profile"), ("exif-data", "exif"), ("xmp-data", "xmp"))
    for field, key in notes:
        if file.info.get(key):
            image.set_type(pyvips.GValue.blob_type, field, file.info[key])
    for field in ("orientation", "exif-ifd0-Orientation"):
        image.remove(field)
    return image
