"""Reads tar archives, compressed or not, and single compressed files, once from front to end.

Knows no limits and no names; `unpacking` does.
"""

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from uploads.operations.base import Output
from uploads.operations.unpacking import PIECE_BYTES, DamagedError, Unpacking, archive_type
from uploads.packed import ENDINGS, PACKINGS, UNREADABLE, packing_of

TAR: Final = "application/x-tar"
FLOWS: Final = frozenset({TAR, *(packing.media_type for packing in PACKINGS)})
TAR_NAMES: Final = re.compile(r"\.(tar\.[a-z0-9]+|t[gbx]z2?|tzst)$", re.IGNORECASE)
HEADER_BYTES: Final = 1024**2  # pax headers of one member; tarfile reads them into memory
# What tarfile trips over in headers that are none.
UNPARSABLE: Final = (tarfile.TarError, ValueError, ArithmeticError, LookupError, TypeError)


class _Counted(io.RawIOBase):
    """The archive's own bytes, so that it is known how far they were read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)  # type: ignore[attr-defined,no-any-return]


class Flow:
    """Unpacked bytes, forwards only; raises `DamagedError` where they end too early.

    `allowed` is how many may be read until it is set again, None for any number.
    """

    def __init__(self, file: IO[bytes], media_type: str, unpacking: Unpacking) -> None:
        self._file = file
        packing, plain = packing_of(media_type), io.BufferedReader(_Counted(file), PIECE_BYTES)
        self._unpacked: Any = packing.opened(plain) if packing else plain
        self._unpacking = unpacking
        self._total = 0
        self._head = b""
        self.allowed: int | None = None

    def peek(self, size: int) -> bytes:
        """Return the first bytes without taking them."""
        while len(self._head) < size and (piece := self._next(size - len(self._head))):
            self._head += piece
        return self._head

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        if self.allowed is not None and self.allowed <= 0:
            raise DamagedError("a header in it is longer than 1 MiB.")
        piece = self._next(size)
        if self.allowed is not None:
            self.allowed -= len(piece)
        return piece

    def _next(self, size: int) -> bytes:
        try:
            # Not `read`, which loses what it has when the rest can't be read.
            piece: bytes = self._unpacked.read1(size)
        except UNREADABLE as error:
            raise DamagedError(_reason(error)) from error
        self._total += len(piece)
        self._unpacking.check(self._total)
        self._unpacking.report(self._file.tell() / self._unpacking.size)
        return piece

    def pieces(self) -> Iterator[bytes]:
        """Yield all that is left."""
        while piece := self.read(PIECE_BYTES):
            yield piece


class _Header(tarfile.TarInfo):
    """A header that is none ends the reading in words; tarfile would end it in silence."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_Header":
        try:
            return super().fromtarfile(archive)
        except (
            tarfile.InvalidHeaderError,  # type: ignore[attr-defined]
            tarfile.TruncatedHeaderError,  # type: ignore[attr-defined]
            tarfile.SubsequentHeaderError,  # type: ignore[attr-defined]
        ) as error:
            raise DamagedError("the header of a file in it is broken.") from error


def unpack(source: Path, unpacking: Unpacking) -> Iterator[Output]:
    """Yield the members of a tar archive, or the one file that was compressed."""
    from uploads.sniff import sniff

    with source.open("rb", buffering=0) as file:
        flow = Flow(file, archive_type(sniff(source, "").media_type), unpacking)
        head = flow.peek(tarfile.BLOCKSIZE)
        if _begins_tar(head) or _is_empty_tar(head, unpacking.step.name):
            yield from _members(flow, unpacking)
        else:
            yield from _single(flow, unpacking)


def _begins_tar(block: bytes) -> bool:
    if len(block) < tarfile.BLOCKSIZE:
        return False
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return False
    except UNPARSABLE:
        return block[257:262] == b"ustar"  # a tar whose first header is broken
    return True


def _is_empty_tar(block: bytes, name: str) -> bool:
    """Tell whether it is a tar without files: zeros, which only the name tells from other zeros."""
    return len(block) == tarfile.BLOCKSIZE and not any(block) and bool(TAR_NAMES.search(name))


def _single(flow: Flow, unpacking: Unpacking) -> Iterator[Output]:
    unpacking.count()
    name = unpacking.step.name
    ending = next((end for end in ENDINGS if name.lower().endswith(end)), "")
    file = unpacking.open(name[: len(name) - len(ending)] or name)
    damage, written = None, 0
    try:
        for piece in flow.pieces():
            written += file.write(piece)
    except DamagedError as error:
        damage = error
    except BaseException:
        file.drop()
        raise
    if damage is not None and not written:
        file.drop()
        raise damage
    output = file.keep()
    output.meta["folder"] = ""
    yield output
    if damage is not None:
        raise damage


def _members(flow: Flow, unpacking: Unpacking) -> Iterator[Output]:
    flow.allowed = HEADER_BYTES
    stream: Any = flow  # all that tarfile needs of a file is `read`
    try:
        with tarfile.open(
            mode="r|", fileobj=stream, tarinfo=_Header, errorlevel=0, bufsize=PIECE_BYTES
        ) as archive:
            while True:
                flow.allowed = HEADER_BYTES + PIECE_BYTES
                member = archive.next()
                if member is None:
                    break
                archive.members = []  # type: ignore[attr-defined] # else it keeps a row for every one
                yield from _member(archive, member, flow, unpacking)
    except UNPARSABLE as error:
        raise DamagedError(_reason(error)) from error


def _member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, flow: Flow, unpacking: Unpacking
) -> Iterator[Output]:
    unpacking.count()
    flow.allowed = None
    name = called(member.name)
    if member.issym() or member.islnk():
        unpacking.leave_out("links", name)
    elif not member.isfile() and not member.isdir():
        unpacking.leave_out("devices", name)
    elif member.isfile() and unpacking.wants(name):
        yield unpacking.write(name, _content(archive, member))
    _skip(archive)


def called(name: str) -> str:
    """Return a member's name; bytes that are no UTF-8 are read as Western letters, so none is lost."""
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeError:
        pass
    try:
        return raw.decode("cp1252")
    except UnicodeError:  # it has no letter for five bytes
        return raw.decode("cp437")


def _skip(archive: tarfile.TarFile) -> None:
    """Read what is left of a member, but for its last byte, which tarfile looks for.

    The holes of a sparse file are not read, nor what a header promises behind the end.
    """
    stream: Any = archive.fileobj
    while (left := archive.offset - 1 - stream.tell()) > 0:
        if not stream.read(min(left, PIECE_BYTES)):
            raise DamagedError("it ends early.")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    file = archive.extractfile(member)
    assert file is not None
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError | tarfile.ReadError):
        return "it ends early."
    return "its bytes don't fit together."
