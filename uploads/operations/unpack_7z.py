"""Reads 7z archives with py7zr, which pushes each member's bytes into a writer; knows no limits."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import py7zr
from py7zr.exceptions import PasswordRequired, UnsupportedCompressionMethodError
from py7zr.io import Py7zIO, WriterFactory

from uploads.errors import Cancelled, InputError, TidemillError
from uploads.operations.base import Output
from uploads.operations.unpacking import DamagedError, Member, Unpacking


class _Writer(Py7zIO):  # type: ignore[misc]
    """One member's way into scratch."""

    def __init__(self, factory: "_Writers", member: Member) -> None:
        self._factory = factory
        self._member = member
        self._size = 0

    def write(self, s: bytes | bytearray) -> int:
        self._size += len(s)
        self._factory.progress(len(s))
        return self._member.write(bytes(s))

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset

    def flush(self) -> None: ...

    def size(self) -> int:
        return self._size


class _Writers(WriterFactory):  # type: ignore[misc]
    """Opens the members one after the other; the one before is whole then, its checksum compared."""

    def __init__(self, unpacking: Unpacking, names: dict[str, str], total: int) -> None:
        self._unpacking = unpacking
        self._names = names
        self._total = max(1, total)
        self._done = 0
        self._now: Member | None = None
        self.made: list[Output] = []

    def create(self, filename: str) -> Py7zIO:
        self.finish()
        self._now = self._unpacking.open(self._names.get(filename, filename))
        return _Writer(self, self._now)

    def progress(self, size: int) -> None:
        self._done += size
        self._unpacking.report(self._done / self._total)

    def finish(self) -> None:
        """Keep the file that was written last."""
        if self._now is not None:
            self.made.append(self._now.keep())
            self._now = None

    def drop(self) -> None:
        """Give up the file that was being written."""
        if self._now is not None:
            self._now.drop()
            self._now = None


def unpack(source: Path, unpacking: Unpacking) -> Iterator[Output]:
    """Yield the files of a 7z archive, all once the last one is read."""
    with source.open("rb") as file:
        try:
            archive = py7zr.SevenZipFile(file)
        except PasswordRequired:
            raise InputError("archive_encrypted", name=unpacking.step.name) from None
        except Exception as error:
            raise _damaged(error, unpacking) from error
        with archive:
            names = _wanted(archive, unpacking)
            writers = _Writers(unpacking, names, sum(m.uncompressed or 0 for m in archive.files))
            damage = _extract(archive, list(names.values()), writers, unpacking)
        yield from writers.made
        if damage is not None:
            raise damage


def _extract(
    archive: Any, targets: list[str], writers: _Writers, unpacking: Unpacking
) -> DamagedError | None:
    """Read it; return what stopped the reading, if anything did."""
    if not targets:
        return None
    try:
        archive.extract(targets=targets, factory=writers)
        writers.finish()
    except PasswordRequired:
        writers.drop()
        raise InputError("archive_encrypted", name=unpacking.step.name) from None
    except Exception as error:
        writers.drop()
        return _damaged(error, unpacking)
    return None


def _wanted(archive: Any, unpacking: Unpacking) -> dict[str, str]:
    """Return the names of the members to take, by the path that the library gives them."""
    members = list(archive.files)
    unpacking.count(len(members))
    unpacking.expect(sum(member.uncompressed or 0 for member in members))
    names: dict[str, str] = {}
    times: Counter[str] = Counter()
    for member in members:
        name = str(member.filename)
        if member.is_directory:
            continue
        if member.is_symlink or member.is_junction:
            unpacking.leave_out("links", name)
        elif not member.is_file:
            unpacking.leave_out("devices", name)
        elif ".." in PurePosixPath(name.replace("\\", "/")).parts or name[:1] in {"/", "\\"}:
            unpacking.leave_out("names that lead out of the archive", name)
        elif unpacking.wants(name):
            path = PurePosixPath(name).as_posix()
            # py7zr numbers what is there again, behind the ending.
            names[f"{path}_{times[path] - 1}" if times[path] else path] = name
            times[path] += 1
    return names


def _damaged(error: Exception, unpacking: Unpacking) -> DamagedError:
    """Return any of the many errors that a broken archive makes the library raise as one of ours."""
    if isinstance(error, TidemillError | Cancelled | MemoryError):
        raise error
    if isinstance(error, UnsupportedCompressionMethodError):
        return DamagedError("it is compressed in a way that is not known here.")
    if isinstance(error, OSError) and error.errno:
        raise error
    return DamagedError("its bytes don't fit together.")
