"""What outage an exception tells of: the database away, a disk full; in the catalogue's words."""

import errno
from typing import Final

from django.db import InterfaceError, OperationalError

from uploads.errors import RequestError
from uploads.storage import NO_ROOM, store

# SQLite's SQLITE_FULL and PostgreSQL's disk_full (53100); both are OperationalErrors.
FULL: Final = ("database or disk is full", "no space left on device")
# What SQLite says when its log's index (-shm) can't be made or grow, for that reason or another.
VAGUE: Final = ("disk i/o error", "unable to open database file")
PAGE_BYTES: Final = 64 * 1024


def says_full(error: BaseException) -> bool:
    """Tell whether a database's error means that its disk is full."""
    said = str(error).lower()
    vague = any(words in said for words in VAGUE)
    return any(words in said for words in FULL) or (vague and store.free_bytes() < PAGE_BYTES)


def outage(error: BaseException | None) -> RequestError | None:
    """Return `database_away` or `disk_full` when that is what an exception means."""
    if isinstance(error, OSError) and error.errno in NO_ROOM | {errno.EFBIG}:
        return RequestError("disk_full")
    if isinstance(error, OperationalError | InterfaceError):
        return RequestError("disk_full" if says_full(error) else "database_away")
    return None
