"""Reads ZIP archives by their directory, or member after member where that is lost; knows no limits."""

import stat
import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from lzma import LZMAError
from pathlib import Path
from typing import IO, Final
from zipfile import BadZipFile, ZipFile, ZipInfo

from uploads.errors import InputError
from uploads.operations.base import Output
from uploads.operations.unpack_torn import unpack_torn
from uploads.operations.unpacking import DamagedError, Unpacking

LOCAL_BYTES: Final = 30  # a local header without name and extra (APPNOTE 4.3.7)
ENCRYPTED, UTF8 = 0x1, 0x800
UNIX: Final = 3
FIELD: Final = struct.Struct("<HH")
NAME_FIELD: Final = 0x7075
# Some methods unpack all of what they read at once: bzip2 makes 20,000 bytes of one.
READ_BYTES: Final = 4096
DEFLATE_BYTES: Final = 256 * 1024
DEFLATED: Final = 8
UNREADABLE: Final = (BadZipFile, EOFError, zlib.error, LZMAError, OSError, ValueError, struct.error)


def unpack(source: Path, unpacking: Unpacking) -> Iterator[Output]:
    """Yield the files of a ZIP; a broken one is left out, the others come."""
    with source.open("rb") as file:
        try:
            archive = ZipFile(file)
            members = archive.infolist()
        except (*UNREADABLE, NotImplementedError, IndexError):
            yield from unpack_torn(file, unpacking)
            raise DamagedError("its list of files is lost or broken.") from None
        except MemoryError:
            raise InputError(
                "archive_too_large",
                name=unpacking.step.name,
                reason="its list of files is too long.",
            ) from None
        with archive:
            unpacking.count(len(members))
            _refuse_overlaps(members, unpacking)
            unpacking.expect(sum(member.file_size for member in members))
            yield from _members(archive, file, members, unpacking)


def _refuse_overlaps(members: list[ZipInfo], unpacking: Unpacking) -> None:
    """Refuse members that share bytes: so a few kilobytes become petabytes (D. Fifield, 2019)."""
    spans = sorted(
        (member.header_offset, member.header_offset + LOCAL_BYTES + member.compress_size)
        for member in members
    )
    if any(end > start for (_, end), (start, _) in pairwise(spans)):
        raise InputError(
            "archive_refused", name=unpacking.step.name, reason="files in it share their bytes."
        )


def _members(
    archive: ZipFile, file: IO[bytes], members: list[ZipInfo], unpacking: Unpacking
) -> Iterator[Output]:
    for member in members:
        name = called(member)
        kind = _kind(member)
        if kind == "folder" or (kind == "file" and not unpacking.wants(name)):
            continue
        if kind != "file":
            unpacking.leave_out(kind, name)
            continue
        try:
            yield unpacking.write(name, _content(archive, file, member, unpacking))
        except NotImplementedError:
            unpacking.leave_out("compressed in a way that is not known here", name)
        except DamagedError:
            unpacking.leave_out("damaged", name)


def _content(
    archive: ZipFile, file: IO[bytes], member: ZipInfo, unpacking: Unpacking
) -> Iterator[bytes]:
    """Yield a member's bytes, its checksum compared at the end."""
    size = DEFLATE_BYTES if member.compress_type in {0, DEFLATED} else READ_BYTES
    left = member.file_size
    try:
        with archive.open(member) as content:
            while piece := content.read(size):
                left -= len(piece)
                unpacking.report(file.tell() / unpacking.size)
                yield piece
    except UNREADABLE as error:
        raise DamagedError("a file in it is broken.") from error
    if left:
        raise DamagedError("a file in it ends early.")


def _kind(member: ZipInfo) -> str:
    mode = member.external_attr >> 16 if member.create_system == UNIX else 0
    # Some programs of Windows end a folder's name so.
    if member.is_dir() or (member.filename.endswith("\\") and not member.file_size):
        return "folder"
    if stat.S_ISLNK(mode):
        return "links"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "devices"
    return "locked with a password" if member.flag_bits & ENCRYPTED else "file"


def called(member: ZipInfo) -> str:
    """Return a member's name; many programs write UTF-8 without saying so, or say it elsewhere."""
    if member.flag_bits & UTF8:
        return member.filename
    try:
        raw = member.filename.encode("cp437")
        return _said_elsewhere(member.extra, raw) or raw.decode("utf-8")
    except UnicodeError:
        return member.filename


def _said_elsewhere(extra: bytes, raw: bytes) -> str:
    """Return the name in the field that old programs of Windows add (APPNOTE 4.6.9), if it is this one's."""
    while len(extra) >= FIELD.size:
        kind, size = FIELD.unpack_from(extra)
        field = extra[FIELD.size : FIELD.size + size]
        fits = field[:1] == b"\1" and field[1:5] == zlib.crc32(raw).to_bytes(4, "little")
        if kind == NAME_FIELD and fits:
            return field[5:].decode("utf-8")
        extra = extra[FIELD.size + size :]
    return ""
