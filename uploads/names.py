"""Names that people gave to files, made fit to be shown; never used as a path on our disk."""

import unicodedata
from typing import Final

NAME_MAX_BYTES: Final = 180
PATH_MAX_CHARACTERS: Final = 1000
FALLBACK: Final = "file"

# Control, format (bidi marks among them), surrogate, private, unassigned; line and paragraph ends.
_UNSHOWABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = "\u200c\u200d"  # needed to write Persian, Hindi and emoji families


def cleaned_name(name: str) -> str:
    """Return the last part of a name without controls and bidi marks, at most 180 bytes of UTF-8.

    Keeps the ending when it shortens; never empty, never `.` or `..`.
    """
    shown = _shown(name.replace("\\", "/").rpartition("/")[2])
    return _shortened(shown) if shown.strip(".") else FALLBACK


def cleaned_path(path: str) -> str:
    """Return a folder path's cleaned parts joined by `/`, or '' when there is but a name."""
    parts = [_shown(part) for part in path.replace("\\", "/").split("/")]
    kept = [_shortened(part) for part in parts if part.strip(".")]
    joined = "/".join(kept)
    return joined if len(kept) > 1 and len(joined) <= PATH_MAX_CHARACTERS else ""


def _shown(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    kept = (c for c in text if c in _JOINERS or unicodedata.category(c) not in _UNSHOWABLE)
    return " ".join("".join(kept).split())


def _shortened(name: str) -> str:
    if len(name.encode()) <= NAME_MAX_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = dot + ending if stem and len(ending.encode()) <= 16 else ""
    room = NAME_MAX_BYTES - len(tail.encode())
    start = name.encode()[:room].decode(errors="ignore")
    while start and unicodedata.combining(name[len(start)]):
        start = start[:-1]  # a letter stays together with its marks
    return start.rstrip() + tail
