"""Reads the boxes of a fragmented MP4 (ISO/IEC 14496-12): where it can be cut, and when that is shown."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEAD = struct.Struct(">I4s")
# No real header is larger; what claims more is not read into memory.
LARGEST_MOOF = 16 * 1024 * 1024


@dataclass(frozen=True)
class Fragment:
    """One `moof` with its `mdat`: bytes from `offset`, decoded from tick `start` on."""

    offset: int
    size: int
    start: int


@dataclass(frozen=True)
class Fragmented:
    """A whole file: `head` bytes that every fragment needs, and the fragments in order."""

    head: int
    fragments: tuple[Fragment, ...]

    @property
    def end(self) -> int:
        """Return where the last fragment's bytes end."""
        last = self.fragments[-1]
        return last.offset + last.size


def read_fragments(path: Path) -> Fragmented:
    """Return the fragments of a file; raises `ValueError` when it has none, or is cut off."""
    head, found = 0, []
    with path.open("rb") as file:
        size = path.stat().st_size
        begun: tuple[int, int] | None = None
        for kind, offset, length in _boxes(file, 0, size):
            if offset + length > size:
                raise ValueError("it ends inside a box")
            if kind == b"moof":
                head = head or offset
                begun = offset, _decode_time(file, offset, length)
            elif kind == b"mdat" and begun is not None:
                start, tick = begun
                found.append(Fragment(start, offset + length - start, tick))
                begun = None
    if not found:
        raise ValueError("it has no fragments")
    return Fragmented(head, tuple(found))


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start + HEAD.size <= end:
        file.seek(start)
        length, kind = HEAD.unpack(file.read(HEAD.size))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        if length < HEAD.size:
            raise ValueError("a box is shorter than its own head")
        yield kind, start, length
        start += length


def _decode_time(file: BinaryIO, offset: int, length: int) -> int:
    """Return the `tfdt` of a `moof`'s first track."""
    if length > LARGEST_MOOF:
        raise ValueError("a fragment's head is too large")
    for kind, start, size in _boxes(file, offset + HEAD.size, offset + length):
        if kind != b"traf":
            continue
        for inner, at, _ in _boxes(file, start + HEAD.size, start + size):
            if inner == b"tfdt":
                file.seek(at + HEAD.size)
                version = file.read(4)[0]
                return int.from_bytes(file.read(8 if version else 4), "big")
    raise ValueError("a fragment does not tell its time")
