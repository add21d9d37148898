"""A form's body before its view runs: in memory or in scratch, as far as limit and disk allow; no rows."""

import io
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.template.defaultfilters import filesizeformat

from uploads.errors import RequestError
from uploads.storage import NO_ROOM, room

LOOK_BYTES: Final = 1024 * 1024
COPIES: Final = 2  # the body as it came, and the files that are taken out of it


class Refused(io.BytesIO):
    """The empty stand-in for a body that is not kept; `error` is what its sender is told."""

    def __init__(self, error: RequestError) -> None:
        super().__init__()
        self.error = error


class FormFiles(TemporaryFileUploadHandler):
    """Puts a form's files into scratch as Django does, and leaves nothing there when it can't."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._or_nothing():
            self.file.write(raw_data)

    def file_complete(self, file_size: int) -> Any:
        with self._or_nothing():
            return super().file_complete(file_size)

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            with suppress(OSError):  # it can't write the rest, but it removes the file
                self.file.close()
            raise


async def spooled(
    receive: Callable[[], Awaitable[Any]], limit: int, announced: int
) -> "IO[bytes] | Refused":
    """Read a body to its end; `Refused` as soon as it exceeds the limit or the disk's room.

    A length announced beyond either is refused before any byte is read. Raises
    `RequestAborted` when the sender goes.
    """
    if announced > limit:
        return too_large(limit)
    on_disk = announced > int(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)
    if on_disk and (room.is_short() or room.left_bytes() < COPIES * announced):
        return Refused(RequestError("disk_full"))
    spool = SpooledTemporaryFile(  # noqa: SIM115 - Django closes it after the answer
        max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE, dir=settings.FILE_UPLOAD_TEMP_DIR
    )
    try:
        refused = await _fill(spool, receive, limit)
        spool.seek(0)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        refused = Refused(RequestError("disk_full"))
    except RequestAborted:
        spool.close()
        raise
    if refused is None:
        return spool
    with suppress(OSError):  # what it still held in memory has no room either
        spool.close()
    return refused


async def _fill(
    spool: "SpooledTemporaryFile[bytes]", receive: Callable[[], Awaitable[Any]], limit: int
) -> Refused | None:
    more, looked = True, int(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        spool.write(message.get("body", b""))
        if spool.tell() > limit:
            return too_large(limit)
        if spool.tell() > looked + LOOK_BYTES:
            looked = spool.tell()
            if room.is_spent():
                return Refused(RequestError("disk_full"))
        more = message.get("more_body", False)
    return None


def too_large(limit: int) -> Refused:
    """Return the refusal of a body above the limit."""
    return Refused(RequestError("body_too_large", limit=filesizeformat(limit)))
