"""What of a picture's notes stays: all but the place and its names, or the dots an inch alone."""

import re
import struct
from pathlib import Path
from typing import Any, Final

import pyvips

# Words of XMP for a place: of cameras (EXIF), and what people write (IPTC Core and Extension).
PLACED: Final = re.compile(
    rb"GPS|:(City|State|Country(Code|Name)?|ProvinceState|Sublocation|WorldRegion|Location\w*)\b"
)
# IPTC datasets of record 2: location, its code, city, part of it, province, country and its code.
PLACES: Final = re.compile(rb"\x1c\x02[\x1a\x1b\x5a\x5c\x5f\x64\x65](..)", re.DOTALL)

JFIF: Final = struct.Struct(">2sH5sHBHHBB")
JPEG_BEGIN_BYTES: Final = 2
# What libvips reads where nobody noted any: 25 of TIFF and PNG, 72 of JPEG.
LEAST_DPI, MOST_DPI, UNKNOWN_DPI = 36, 0xFFFF, 72


def without_private(image: Any, *, all_kept: bool) -> Any:
    """Drop what no longer fits (the embedded small picture) and, unless all is kept, the place."""
    fields = image.get_fields()
    gone = [f for f in fields if f.startswith("exif-ifd1-") or f == "jpeg-thumbnail-data"]
    image = image.copy()
    if not all_kept:
        gone += [f for f in fields if f.startswith("exif-ifd3-")]
        xmp = bytes(image.get("xmp-data")) if "xmp-data" in fields else b""
        gone += ["xmp-data"] if PLACED.search(xmp.replace(b"\0", b"")) else []
        if "iptc-data" in fields:
            blanked = _without_places(bytes(image.get("iptc-data")))
            image.set_type(pyvips.GValue.blob_type, "iptc-data", blanked)
    for field in gone:
        image.remove(field)
    return image


def _without_places(iptc: bytes) -> bytes:
    """Return notes with spaces for the names of places: their lengths, which others count on, stay."""
    made = bytearray(iptc)
    for found in PLACES.finditer(iptc):
        begin, length = found.end(), int.from_bytes(found[1], "big")
        end = min(begin + length, len(made))
        made[begin:end] = b" " * (end - begin)
    return bytes(made)


def say_density(path: Path, image: Any) -> None:
    """Put a picture's dots an inch into a JPEG without notes: libvips has them in EXIF alone."""
    across, down = (round(pace * 25.4) for pace in (image.xres, image.yres))
    known = min(across, down) >= LEAST_DPI and max(across, down) <= MOST_DPI
    if not known or across == down == UNKNOWN_DPI:
        return
    content = path.read_bytes()
    segment = JFIF.pack(b"\xff\xe0", JFIF.size - 2, b"JFIF\0", 0x0102, 1, across, down, 0, 0)
    path.write_bytes(content[:JPEG_BEGIN_BYTES] + segment + content[JPEG_BEGIN_BYTES:])
