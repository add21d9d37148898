"""How results are called: a pattern with a few placeholders in it; knows no rows and no files.

The pattern takes the place of `source` in the file name that an operation chose. What follows it
(`-320.webp`, `-poster.jpg`) stays, so that several results of one file can be told apart.
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import Final

from uploads.errors import RequestError
from uploads.packed import ENDINGS

PACKED_KINDS: Final = {".tar", ".csv", ".tsv", ".json", ".ndjson", ".jsonl"}
PLACEHOLDERS: Final = {
    "name": "the file's own name, without its ending",
    "n": "its number: 1, 2, 3 and so on; {n:3} makes 001, 002, 003",
    "date": "the day the job was sent, such as 2026-11-22",
    "folder": "the folder that the file came in",
    "dimensions": "width and height of a picture or film, such as 1600x1200",
    "preset": "the preset that was chosen, or “own”",
}
PATTERN_CHARACTERS: Final = 120
STEM_BYTES: Final = 160
NAME_CHARACTERS: Final = 255
LARGEST_WIDTH: Final = 9

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_FORBIDDEN: Final = re.compile(r'[\\/<>:"|?*\x00-\x1f\x7f]')
_SEPARATORS: Final = "-_., "


@dataclass(frozen=True)
class Facts:
    """What a pattern may say about one result; `name` is its file's own, with the ending."""

    name: str
    number: int
    day: date
    folder: str = ""
    dimensions: str = ""
    preset: str = ""


def check_pattern(pattern: str) -> None:
    """Raise `RequestError` (`bad_names`) in words unless the pattern can be used; empty is fine."""
    if len(pattern) > PATTERN_CHARACTERS:
        raise _refuse(f"it has more than {PATTERN_CHARACTERS} characters.")
    for inside in _FIELD.findall(pattern):
        word, colon, width = inside.partition(":")
        if word not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise _refuse(f"“{{{inside}}}” is no placeholder; there are {known}.")
        wide = width.isascii() and width.isdigit() and 1 <= int(width) <= LARGEST_WIDTH
        if colon and (word != "n" or not wide):
            raise _refuse(f"“{{{inside}}}” is not understood; {{n:3}} makes 001.")
    rest = _FIELD.sub("", pattern)
    if "{" in rest or "}" in rest:
        raise _refuse("a “{” or “}” stands alone in it.")
    if found := _FORBIDDEN.search(rest):
        raise _refuse(f"“{found[0]}” can't be in a file's name everywhere.")


def _refuse(reason: str) -> RequestError:
    return RequestError("bad_names", reason=reason, field="names")


def own_name(name: str) -> str:
    """Return a file's name without its ending, or both where one says how it is packed."""
    path = PurePath(name)
    inner = PurePath(path.stem)
    packed = path.suffix.lower() in ENDINGS and inner.suffix.lower() in PACKED_KINDS
    return (inner.stem if packed else path.stem) or name


def result_name(made: str, pattern: str, facts: Facts) -> str:
    """Return how the file `made` is shown: what stands for `source` in it filled in.

    A file that an operation called otherwise keeps its name. Without a pattern, the file's
    own name takes the place.
    """
    if not made.startswith("source"):
        return made[-NAME_CHARACTERS:]
    own = own_name(facts.name)
    stem = (_filled(pattern, facts, own) if pattern else "") or own
    return (stem + made.removeprefix("source"))[-NAME_CHARACTERS:]


def _filled(pattern: str, facts: Facts, own: str) -> str:
    """Fill the placeholders in; of one with nothing to say no doubled separator stays."""
    said = {
        "name": own,
        "date": facts.day.isoformat(),
        "folder": facts.folder,
        "dimensions": facts.dimensions,
        "preset": facts.preset,
    }

    def value(found: "re.Match[str]") -> str:
        word, _, width = found[1].partition(":")
        return f"{facts.number:0{width}d}" if word == "n" else said[word]

    filled = " ".join(_FIELD.sub(value, pattern).split())
    if any(not said.get(inside, "1") for inside in _FIELD.findall(pattern)):
        filled = re.sub(rf"([{re.escape(_SEPARATORS)}])\1+", r"\1", filled).strip(_SEPARATORS)
    return filled.lstrip(".").encode()[:STEM_BYTES].decode(errors="ignore").strip()
