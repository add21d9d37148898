"""What a picture's notes give away: which of them go, and the names of places within the others."""

import re
from typing import Any, Final

import pyvips

# Words of XMP for a place: of cameras (EXIF), and what people write (IPTC Core and Extension).
PLACED: Final = re.compile(
    rb"GPS|:(City|State|Country(Code|Name)?|ProvinceState|Sublocation|WorldRegion|Location\w*)\b"
)
# IPTC datasets of record 2: location, its code, city, part of it, province, country and its code.
PLACES: Final = re.compile(rb"\x1c\x02[\x1a\x1b\x5a\x5c\x5f\x64\x65](..)", re.DOTALL)


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
