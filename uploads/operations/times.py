"""Times as people write them: "0:30-1:15, 2:00-" becomes ranges of seconds; and in names of files."""

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


def parse_time(text: str, field: str) -> float:
    """Read "1:02:03.5" as seconds; raises `RequestError` (`invalid_options`)."""
    found = TIME.fullmatch(text.strip())
    if found is None:
        raise refuse(f"“{text}” is no time; write it like 1:15 or 1:02:00.", field)
    return _seconds(found)


def parse_times(text: str, field: str) -> list[float]:
    """Read "3:20, 7:45" in any order; raises `RequestError` (`invalid_options`)."""
    written = [piece for piece in re.split(r"[,;\n]", text) if piece.strip()]
    if not written:
        raise refuse("at least one time is needed, such as 3:20.", field)
    return sorted({parse_time(piece, field) for piece in written})


def label(seconds: float) -> str:
    """Return a time as it stands in a file's name: 01m15s, 1h02m00.5s."""
    whole, rest = divmod(round(seconds * 1000), 1000)
    hours, minutes = whole // 3600, whole // 60 % 60
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    return (f"{hours}h" if hours else "") + f"{minutes:02d}m{whole % 60:02d}{fraction}s"
