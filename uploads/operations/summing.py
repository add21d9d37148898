"""Checksums of files, and the list of them as text, JSON or CSV; it knows no other list."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from uploads.errors import InputError
from uploads.operations.base import Context, Output, Source

if TYPE_CHECKING:
    from uploads.operations.checksums import Manifest

PIECE_BYTES: Final = 1024**2
NAMES: Final = {
    "sha256": "SHA256SUMS",
    "sha1": "SHA1SUMS",
    "md5": "MD5SUMS",
    "blake2b": "B2SUMS",
}
ESCAPED: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


@dataclass(frozen=True)
class Placed:
    """One input with the name by which it is told apart from all others."""

    path: Path
    name: str
    media_type: str
    size: int


def placed(paths: Sequence[Path], step: Context[Any]) -> list[Placed]:
    """Return the inputs under their folders and names, a second one of a name numbered.

    Raises `InputError` (`empty_file`) when not one of them has a byte.
    """
    known = [*step.sources, *[Source(path.name, "") for path in paths[len(step.sources) :]]]
    taken: set[str] = set()
    found = []
    for path, source in zip(paths, known, strict=True):
        name = _free(source.relative_path or source.name, taken)
        found.append(Placed(path, name, source.media_type, path.stat().st_size))
    if not any(file.size for file in found):
        raise InputError("empty_file", name=found[0].name if found else step.name)
    return found


def _free(name: str, taken: set[str]) -> str:
    stem, dot, ending = name.rpartition(".")
    if not stem or "/" in ending:
        stem, dot, ending = name, "", ""
    free, count = name, 1
    while free.casefold() in taken:
        count += 1
        free = f"{stem} ({count}){dot}{ending}"
    taken.add(free.casefold())
    return free


def pieces(path: Path, tell: Callable[[int], None]) -> Iterator[bytes]:
    """Yield a file's bytes; `tell` hears of every piece's size."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            tell(len(piece))
            yield piece


class Meter:
    """Reports how much of a known number of bytes is done."""

    def __init__(self, step: Context[Any], total: int, note: str) -> None:
        self._step = step
        self._total = max(1, total)
        self._note = note
        self._done = 0

    def __call__(self, size: int) -> None:
        self._done += size
        self._step.report(self._done / self._total, self._note)


def checksum(path: Path, algorithm: str, tell: Callable[[int], None]) -> str:
    """Return a file's checksum in hexadecimal digits."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces(path, tell):
        digest.update(piece)
    return digest.hexdigest()


def manifest(paths: Sequence[Path], step: "Context[Manifest]") -> Output:
    """Return the list of the inputs' checksums."""
    files = placed(paths, step)
    algorithm = step.options.algorithm
    meter = Meter(step, sum(file.size for file in files), "reading")
    sums = [(checksum(file.path, algorithm, meter), file) for file in files]
    write = {"text": _text, "json": _json, "csv": _csv}[step.options.format]
    meta = {"files": len(files), "algorithm": algorithm}
    return write(step, algorithm, sums, meta)


Sums = list[tuple[str, Placed]]


def _text(step: "Context[Manifest]", algorithm: str, sums: Sums, meta: dict[str, Any]) -> Output:
    target = step.path(f"{NAMES[algorithm]}.txt")
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line(digest, made.name) for digest, made in sums)
    return Output(target, meta={**meta, "name": NAMES[algorithm], "media_type": "text/plain"})


def line(digest: str, name: str) -> str:
    """Return one line as GNU coreutils write it: a name with odd letters is escaped and marked."""
    safe = "".join(ESCAPED.get(letter, letter) for letter in name)
    return f"{chr(92) if safe != name else ''}{digest}  {safe}\n"


def _json(step: "Context[Manifest]", algorithm: str, sums: Sums, meta: dict[str, Any]) -> Output:
    target = step.path("checksums.json")
    files = [
        {
            "name": made.name,
            "size_bytes": made.size,
            "media_type": made.media_type,
            algorithm: digest,
        }
        for digest, made in sums
    ]
    text = json.dumps({"algorithm": algorithm, "files": files}, indent=1, ensure_ascii=False)
    target.write_text(text + "\n", encoding="utf-8")
    return Output(target, meta=meta)


def _csv(step: "Context[Manifest]", algorithm: str, sums: Sums, meta: dict[str, Any]) -> Output:
    target = step.path("checksums.csv")
    with target.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "size_bytes", "media_type", algorithm])
        table.writerows([made.name, made.size, made.media_type, digest] for digest, made in sums)
    return Output(target, meta={**meta, "media_type": "text/csv"})
