"""Reads a list of checksums: what coreutils and BSD write, and our JSON and CSV; hashes nothing."""

import codecs
import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from uploads.errors import InputError
from uploads.names import cleaned_name, cleaned_path
from uploads.operations.base import Source

MAX_BYTES: Final = 256 * 1024**2
DIGITS: Final = {32: ("md5",), 40: ("sha1",), 64: ("sha256",), 128: ("blake2b", "sha512")}
TAGS: Final = {
    "MD5": "md5",
    "SHA1": "sha1",
    "SHA256": "sha256",
    "SHA512": "sha512",
    "BLAKE2b": "blake2b",
}
# coreutils: `HEX  name`, `HEX *name`, with a backslash before it when the name is escaped; `md5 -r`
# of BSD and macOS: `HEX name`.
GNU: Final = re.compile(r"(\\?)([0-9A-Fa-f]{32,128}) [ *]?(.+)")
BSD: Final = re.compile(r"(\\?)(MD5|SHA1|SHA256|SHA512|BLAKE2b) \((.+)\) = ([0-9A-Fa-f]{32,128})")
NAMED_SO: Final = re.compile(
    r"(md5|sha1|sha256|sha512|b2)sums?(\.txt)?|checksums\.(json|csv|txt)|.+\.(md5|sha1|sha256|sha512|b2)",
    re.I,
)


@dataclass(frozen=True)
class Entry:
    """One file as a list knows it; of several algorithms one has to fit."""

    name: str
    digest: str
    algorithms: tuple[str, ...]


def is_listed_so(source: Source) -> bool:
    """Tell whether a file is called as lists of checksums are."""
    return NAMED_SO.fullmatch(source.name) is not None


def read_list(path: Path) -> list[Entry]:
    """Return the entries of a list; raises `InputError` (`manifest_unreadable`)."""
    if path.stat().st_size > MAX_BYTES:
        raise _unreadable("it is larger than 256 MiB.")
    text = _text(path.read_bytes())
    start = text.lstrip()[:1]
    if start == "{":
        return _of_rows(_json_rows(text))
    if text.startswith("name,"):
        return _of_rows(list(csv.DictReader(text.splitlines())))
    return _lines(text)


def _text(content: bytes) -> str:
    """Return a list's text; what PowerShell redirects into a file is UTF-16."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig", "replace")


def _json_rows(text: str) -> list[Any]:
    try:
        rows = json.loads(text)["files"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unreadable("its JSON is not what “Checksums” makes.") from None
    return rows if isinstance(rows, list) else []


def _of_rows(rows: list[Any]) -> list[Entry]:
    entries = []
    for row in rows:
        known = [(key, row[key]) for key in TAGS.values() if key in row] if _is_row(row) else []
        if not known:
            raise _unreadable("a row in it has no name or no checksum.")
        entries.append(Entry(shown(row["name"]), str(known[0][1]).lower(), (known[0][0],)))
    return _checked(entries)


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("name"), str)


def _lines(text: str) -> list[Entry]:
    entries = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.rstrip("\r")
        if not line.strip() or line.startswith(("#", ";")):
            continue
        if found := BSD.fullmatch(line):
            entries.append(Entry(_name(found[1], found[3]), found[4].lower(), (TAGS[found[2]],)))
        elif (found := GNU.fullmatch(line)) and len(found[2]) in DIGITS:
            name = _name(found[1], found[3])
            entries.append(Entry(name, found[2].lower(), DIGITS[len(found[2])]))
        else:
            raise _unreadable(f"line {number:,} is no checksum with a name.")
    return _checked(entries)


def _checked(entries: list[Entry]) -> list[Entry]:
    if not entries:
        raise _unreadable("there is no checksum in it.")
    return entries


def _name(escaped: str, text: str) -> str:
    if escaped:
        letters = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
        text = re.sub(r"\\[\\nr]", lambda found: letters[found[0]], text)
    return shown(text)


def shown(name: str) -> str:
    """Return a name as an upload of it is called."""
    return cleaned_path(name) or cleaned_name(name)


def _unreadable(reason: str) -> InputError:
    return InputError("manifest_unreadable", reason=reason)
