"""Times as people write them: "0:30-1:15, 2:00-" becomes ranges of seconds."""

import math
import re
from dataclasses import dataclass

from uploads.errors import RequestError

MOST_RANGES = 50
TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d{1,3})?)")


@dataclass(frozen=True)
class Range:
    """Seconds from the start of the video; an `end` of infinity is the video's own."""

    start: float
    end: float


def parse_ranges(text: str, field: str) -> list[Range]:
    """Read "0:30-1:15, 2:00-"; raises `RequestError` (`invalid_options`) with the range in words."""
    written = [piece for piece in re.split(r"[,;\n]", text) if piece.strip()]
    if not written:
        raise refuse("at least one range is needed, such as 0:30-1:15.", field)
    if len(written) > MOST_RANGES:
        raise refuse(f"at most {MOST_RANGES} ranges are possible.", field)
    return list(dict.fromkeys(_range(piece.strip(), field) for piece in written))


def refuse(reason: str, field: str) -> RequestError:
    """Return the error that refuses one option in words."""
    return RequestError("invalid_options", reason=reason, field=field)


def _range(text: str, field: str) -> Range:
    ends = [end.strip() for end in re.split(r"\s*(?:-|–|—|\bto\b|\.\.)\s*", text)]
    if len(ends) != 2:
        raise refuse(f"“{text}” is no range; write it like 0:30-1:15.", field)
    written = [TIME.fullmatch(end) if end else None for end in ends]
    if any(end and found is None for end, found in zip(ends, written, strict=True)):
        raise refuse(f"“{text}” is no range; write it like 0:30-1:15 or 1:02:00-1:04:30.", field)
    start, end = (_seconds(found) if found else None for found in written)
    if end is not None and end <= (start or 0.0):
        raise refuse(f"“{text}” ends before it starts.", field)
    return Range(start or 0.0, math.inf if end is None else end)


def _seconds(found: re.Match[str]) -> float:
    hours, minutes, seconds = found.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
