"""The bytes of one upload on disk: one writer at a time, synced before acknowledged; no rows, no tus.

The right to write is a `flock` on the data file, which the kernel frees when a process
is killed. A newer request puts a `.stop` file beside it; the older writer sees that,
puts its bytes away and lets go. A `.mark` file holds the offset from which bytes are
not verified yet; whoever opens the file next cuts it back to there.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.storage import make_folder, room, sync_folder

UNIT_BYTES: Final = 1024 * 1024
LOOK_SECONDS: Final = 0.1
TELL_SECONDS: Final = 1.0
TAKEOVER_SECONDS: Final = 3.0

STOP: Final = ".stop"
MARK: Final = ".mark"
FRESH: Final = ".fresh"
SIDE_FILES: Final = (STOP, FRESH)  # of no use once their process is gone; a mark is

T = TypeVar("T")


class Digest(Protocol):
    """What a checksum needs; hashlib's objects have it."""

    def update(self, data: bytes, /) -> None: ...


class Ending(Enum):
    """Why a writer stopped taking bytes."""

    END = "the body ended or its connection was cut"
    BEYOND = "more bytes came than fit"
    SILENT = "no byte came for too long"
    ASKED = "a newer request wants the file"
    FULL = "half of the disk's reserve is used too"


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(int(conf.UPLOAD_WRITERS), thread_name_prefix="intake")


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run a blocking file call in one of the `UPLOAD_WRITERS` threads; a cancel waits for its end."""
    call = asyncio.get_running_loop().run_in_executor(_threads(), function, *arguments)
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait({call})
        raise


def create_file(path: Path) -> None:
    """Make the empty file of a new upload, durable when this returns."""
    make_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


class Writer:
    """The right to change one upload's bytes; use `async with Writer.of(path)`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.offset = os.fstat(descriptor).st_size
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Future[None] | None = None
        self._heard_at = 0.0

    # --- the right -----------------------------------------------------------

    @classmethod
    async def of(cls, path: Path) -> Self:
        """Take the right, away from an older writer if need be.

        RequestError `upload_busy` when that one does not let go within 3 s, `not_found`
        when the file is gone.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise RequestError("not_found") from None
        try:
            await _take_over(path, descriptor)
            if not _is_still(path, descriptor):
                raise RequestError("not_found")
            await in_thread(_cut_unverified, path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        os.close(self._descriptor)

    # --- bytes ---------------------------------------------------------------

    async def take(
        self,
        pieces: AsyncIterator[bytes],
        room: int,
        *,
        tell: Callable[[int], Awaitable[None]],
        digest: Digest | None = None,
    ) -> Ending:
        """Append what arrives, at most `room` bytes; every byte taken is synced when this returns.

        `tell` hears the offset about once a second. OSError of the disk is raised after
        the bytes before it are synced; `offset` is right in every case.
        """
        self._heard_at = time.monotonic()
        feeding = asyncio.create_task(self._feed(pieces, room, digest))
        try:
            return await self._watch(feeding, tell)
        finally:
            feeding.cancel()
            await asyncio.wait({feeding})
            await self._settle(digest)

    async def _watch(
        self, feeding: "asyncio.Task[Ending]", tell: Callable[[int], Awaitable[None]]
    ) -> Ending:
        told_at = time.monotonic()
        while True:
            await asyncio.wait({feeding}, timeout=LOOK_SECONDS)
            now = time.monotonic()
            if feeding.done():
                return feeding.result()
            if _stop_file(self.path).exists():
                return Ending.ASKED
            if not _is_still(self.path, self._descriptor):
                raise RequestError("not_found")  # deleted by another door meanwhile
            if room.is_spent():
                return Ending.FULL
            if now - self._heard_at > conf.UPLOAD_IDLE_SECONDS:
                return Ending.SILENT
            if now - told_at > TELL_SECONDS:
                told_at = now
                await tell(self.offset)

    async def _feed(self, pieces: AsyncIterator[bytes], room: int, digest: Digest | None) -> Ending:
        async for piece in pieces:
            self._heard_at = time.monotonic()
            self._waiting.append(piece[:room])
            self._waiting_bytes += len(piece[:room])
            if len(piece) > room:
                return Ending.BEYOND
            room -= len(piece)
            if self._waiting_bytes >= UNIT_BYTES:
                await self._write(digest)
        return Ending.END

    async def _write(self, digest: Digest | None) -> None:
        """Start writing what waits, after the write before it has ended."""
        if self._writing is not None:
            await asyncio.shield(self._writing)
        pieces, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._writing = asyncio.get_running_loop().run_in_executor(
            _threads(), self._append, pieces, digest
        )

    def _append(self, pieces: list[bytes], digest: Digest | None) -> None:
        data = b"".join(pieces)
        if digest is not None:
            digest.update(data)
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._descriptor, rest, self.offset)
            self.offset += written
            rest = rest[written:]

    async def _settle(self, digest: Digest | None) -> None:
        """Write the rest and sync; also when the disk refused, for the bytes before."""
        try:
            if self._waiting:
                await self._write(digest)
            if self._writing is not None:
                await asyncio.shield(self._writing)
        finally:
            self._waiting, self._writing = [], None
            await in_thread(os.fdatasync, self._descriptor)

    # --- bytes that must prove themselves --------------------------------------

    async def mark(self) -> None:
        """Remember, durably, that bytes from here on are not verified."""
        await in_thread(_write_mark, self.path, self.offset)

    async def verified(self) -> None:
        """Keep the bytes since `mark`."""
        await in_thread(_remove_mark, self.path)

    async def refuse(self) -> None:
        """Cut back to `mark`."""
        await in_thread(_cut_unverified, self.path, self._descriptor)
        self.offset = os.fstat(self._descriptor).st_size


async def _take_over(path: Path, descriptor: int) -> None:
    give_up_at = time.monotonic() + TAKEOVER_SECONDS
    try:
        while not _locked(descriptor):
            if time.monotonic() > give_up_at:
                raise RequestError("upload_busy")
            _stop_file(path).touch(mode=0o600)
            await asyncio.sleep(LOOK_SECONDS / 4)
    finally:
        # Also what a killed request left; one that still waits asks again in a moment.
        _stop_file(path).unlink(missing_ok=True)


def _locked(descriptor: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _stop_file(path: Path) -> Path:
    return path.with_name(path.name + STOP)


def _mark_file(path: Path) -> Path:
    return path.with_name(path.name + MARK)


def _write_mark(path: Path, offset: int) -> None:
    mark = _mark_file(path)
    fresh = path.with_name(path.name + FRESH)
    with fresh.open("w") as file:
        file.write(str(offset))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(mark)
    sync_folder(path.parent)


def _remove_mark(path: Path) -> None:
    _mark_file(path).unlink()
    sync_folder(path.parent)


def _cut_unverified(path: Path, descriptor: int) -> None:
    mark = _mark_file(path)
    if not mark.exists():
        return
    os.ftruncate(descriptor, min(int(mark.read_text()), os.fstat(descriptor).st_size))
    os.fsync(descriptor)
    _remove_mark(path)
