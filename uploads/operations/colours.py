"""Tells from a colour profile whether it is sRGB's; knows no pixels."""

import struct
from typing import Final

NAME: Final = "sRGB"
HEAD_BYTES: Final = 128  # of a profile; then the count of its tags, and for each its kind and place
COUNT, TAG = struct.Struct(">I"), struct.Struct(">4sII")
POINT: Final = struct.Struct(">4s4x3i")
MOST_TAGS: Final = 200
# What red and green of sRGB are as XYZ (ICC.1, D50), and how far from it they may be rounded.
PRIMARIES: Final = {b"rXYZ": (0.4361, 0.2225, 0.0139), b"gXYZ": (0.3851, 0.7169, 0.0971)}
APART: Final = 0.01


def is_srgb(profile: bytes) -> bool:
    """Tell whether a profile is named so and has its colours, as far as it says which it has.

    Programs of Android name others “Display P3 Gamut with sRGB Transfer”.
    """
    named = NAME.encode() in profile or NAME.encode("utf-16-be") in profile
    return named and all(_fits(profile, kind, point) for kind, point in PRIMARIES.items())


def _fits(profile: bytes, kind: bytes, point: tuple[float, float, float]) -> bool:
    try:
        (count,) = COUNT.unpack_from(profile, HEAD_BYTES)
        for number in range(min(count, MOST_TAGS)):
            tag, at, _ = TAG.unpack_from(profile, HEAD_BYTES + COUNT.size + number * TAG.size)
            if tag == kind:
                _, *found = POINT.unpack_from(profile, at)
                near = (abs(a / 65536 - b) <= APART for a, b in zip(found, point, strict=True))
                return all(near)
    except struct.error:  # cut off; libvips has the last word
        return False
    return True
