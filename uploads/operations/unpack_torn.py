"""Reads what is left of a ZIP without its list of files: each member by its own header.

Only what is stored or deflated, the two that nearly all ZIPs use (APPNOTE 4.3.7).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from uploads.operations.base import Output
from uploads.operations.unpacking import DamagedError, Unpacking

MAGIC: Final = b"PK\x03\x04"
HEADER: Final = struct.Struct("<4sHHHHHIIIHH")
FIELD: Final = struct.Struct("<HH")
WIDE, WIDE_FIELD, WIDE_BYTES = 0xFFFFFFFF, 0x0001, 8
ENCRYPTED, SIZE_FOLLOWS, UTF8 = 0x1, 0x8, 0x800
STORED, DEFLATED = 0, 8
NEWEST: Final = 0x0FFF  # version 6.3 is 63, with the maker's system above it in some
READ_BYTES: Final = 64 * 1024
PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True)
class _Local:
    name: str
    flags: int
    method: int
    crc: int
    packed_bytes: int
    begin: int


def unpack_torn(file: IO[bytes], unpacking: Unpacking) -> Iterator[Output]:
    """Yield the members that are whole, from the first byte on."""
    position = 0
    while (found := _find(file, position, unpacking)) is not None:
        position = found.begin
        unpacking.count()
        if found.name.endswith("/") or not unpacking.wants(found.name):
            continue
        if found.flags & ENCRYPTED:
            unpacking.leave_out("locked with a password", found.name)
            continue
        try:
            yield unpacking.write(found.name, _content(file, found))
        except DamagedError:
            unpacking.leave_out("damaged", found.name)
            continue
        position = max(position, file.tell())


def _find(file: IO[bytes], position: int, unpacking: Unpacking) -> _Local | None:
    """Return the next local header from a position on."""
    file.seek(position)
    rest = b""
    while True:
        unpacking.report(position / unpacking.size)
        piece = file.read(READ_BYTES)
        block = rest + piece
        place = block.find(MAGIC)
        if place >= 0:
            begin = position - len(rest) + place
            if (found := _header(file, begin)) is not None:
                return found
            position, rest = begin + len(MAGIC), b""
            file.seek(position)
            continue
        if not piece:
            return None
        position += len(piece)
        rest = block[-3:]


def _header(file: IO[bytes], position: int) -> _Local | None:
    """Return the header at a position, or None if the bytes there are none."""
    file.seek(position)
    head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    _, version, flags, method, _, _, crc, packed, _, name_bytes, extra_bytes = HEADER.unpack(head)
    raw, extra = file.read(name_bytes), file.read(extra_bytes)
    if version > NEWEST or not raw or len(raw) < name_bytes:
        return None
    name = raw.decode("utf-8", "replace" if flags & UTF8 or raw.isascii() else "surrogateescape")
    if any("\udc80" <= letter <= "\udcff" for letter in name):
        name = raw.decode("cp437")
    begin = position + HEADER.size + name_bytes + extra_bytes
    return _Local(name, flags, method, crc, _packed_bytes(packed, extra), begin)


def _packed_bytes(noted: int, extra: bytes) -> int:
    """Return how many bytes a member has; a wide header says it behind the name (APPNOTE 4.5.3)."""
    while noted == WIDE and len(extra) >= FIELD.size:
        kind, size = FIELD.unpack_from(extra)
        if kind == WIDE_FIELD and size >= 2 * WIDE_BYTES:
            begin = FIELD.size + WIDE_BYTES
            return int.from_bytes(extra[begin : begin + WIDE_BYTES], "little")
        extra = extra[FIELD.size + size :]
    return noted


def _content(file: IO[bytes], found: _Local) -> Iterator[bytes]:
    file.seek(found.begin)
    crc = 0
    pieces = _inflated(file) if found.method == DEFLATED else _stored(file, found)
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
        yield piece
    expected = found.crc
    if found.flags & SIZE_FOLLOWS:
        tail = file.read(8)
        expected = int.from_bytes(tail[4:] if tail[:4] == b"PK\x07\x08" else tail[:4], "little")
    if crc != expected:
        raise DamagedError("a file in it is broken.")


def _stored(file: IO[bytes], found: _Local) -> Iterator[bytes]:
    if found.method != STORED or found.flags & SIZE_FOLLOWS:
        raise DamagedError("where a file in it ends is not known.")
    left = found.packed_bytes
    while left and (piece := file.read(min(left, PIECE_BYTES))):
        left -= len(piece)
        yield piece


def _inflated(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what a deflated stream holds and leave the file where it ends."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    waiting = b""
    while not inflater.eof:
        packed = waiting or file.read(READ_BYTES)
        try:
            piece = inflater.decompress(packed, PIECE_BYTES)
        except zlib.error as error:
            raise DamagedError("a file in it is broken.") from error
        if not piece and not packed:
            raise DamagedError("a file in it ends early.")
        waiting = inflater.unconsumed_tail
        if piece:
            yield piece
    file.seek(-len(inflater.unused_data), 1)
