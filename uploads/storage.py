"""Where bytes live: uploads, results and scratch, named by keys below one data folder.

A key is a relative path of our own making (`incoming/…`, `store/…`), never
a user's name. A file is written elsewhere, synced and then renamed to its
key, so a key's file is complete or absent.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Final, Protocol

from django.conf import settings

from uploads.conf import MIB, conf
from uploads.errors import Cancelled

READ_BYTES = 1024 * 1024
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
SLACK_BYTES: Final = 256 * MIB
Wanted = Callable[[], bool]


def always() -> bool:
    """Want it in any case."""
    return True


class Store(Protocol):
    """What the house needs of a storage; the local folder is the one-machine kind."""

    def adopt(self, source: Path, key: str, wanted: Wanted = always) -> str:
        """Move a finished file to its key, durably; return its sha256.

        Raises `Cancelled` when it is no longer wanted while it is read.
        """

    def fetch(self, key: str, target: Path) -> None:
        """Put the key's file at `target` for reading only."""

    def delete(self, key: str) -> None:
        """Remove the key's file; gone already is fine."""

    def free_bytes(self) -> int:
        """Return the free space."""


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, private, each one's name durable in its parent."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


class LocalStore:
    """Files below `TIDEMILL_DATA` on one disk; reading links, adopting renames."""

    @property
    def root(self) -> Path:
        return Path(settings.TIDEMILL_DATA)

    def path(self, key: str) -> Path:
        """Return the key's path; a key that leaves the data folder is a bug and raises."""
        path = self.root / key
        if ".." in Path(key).parts or not path.is_relative_to(self.root):
            raise ValueError(f"{key!r} is not a storage key")
        return path

    def adopt(self, source: Path, key: str, wanted: Wanted = always) -> str:
        target = self.path(key)
        make_folder(target.parent)
        digest = sha256()
        with source.open("rb") as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
                if not wanted():
                    raise Cancelled
            os.fsync(file.fileno())
        source.replace(target)
        sync_folder(target.parent)
        return digest.hexdigest()

    def fetch(self, key: str, target: Path) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.link(self.path(key), target)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            shutil.copyfile(self.path(key), target)

    def delete(self, key: str) -> None:
        self.path(key).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free

    def total_bytes(self) -> int:
        """Return the size of the whole disk."""
        return shutil.disk_usage(self.root).total

    def scratch(self) -> Path:
        """Return the folder of the steps' private folders, on the store's own disk."""
        folder = self.root / "scratch"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


store = LocalStore()


class Unclaimed:
    """Since when stored files have had no row: a restored older database must not cost them.

    One JSON file an area, rewritten by its sweep; lost, the time starts anew.
    """

    def __init__(self, area: str) -> None:
        self.area = area

    def due(self, keys: Iterable[str], seconds: float) -> list[str]:
        """Note the keys of all files without a row now; return those that had none for so long."""
        path = store.path(f"unclaimed-{self.area}.json")
        known = _read_times(path)
        now = time.time()
        # A clock that was ahead for a while must not keep a file for ever.
        since = {key: min(now, known.get(key, now)) for key in keys}
        due = [key for key, moment in since.items() if now - moment > seconds]
        rest = {key: moment for key, moment in since.items() if key not in due}
        if rest != known:
            _write_times(path, rest)
        return due


def _read_times(path: Path) -> dict[str, float]:
    try:
        read: dict[str, float] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return read


def _write_times(path: Path, times: dict[str, float]) -> None:
    if not times:
        path.unlink(missing_ok=True)
        return
    # Another host may sweep the same folder: nobody's unfinished file is anybody else's.
    fresh = store.scratch() / f"{path.stem}-{token_hex(4)}"
    with fresh.open("w") as file:
        json.dump(times, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


class Room:
    """Whether the disk has room beside the reserve, with hysteresis, as this process has seen it.

    Short once less than the reserve is free; not short again before an eighth of the
    reserve (at most 256 MiB) is free beside it, so that it does not flap.
    """

    def __init__(self) -> None:
        self._short = False

    def is_short(self) -> bool:
        """Tell whether nothing new may begin; one look at the file system."""
        self._short = self.left_bytes() < 0
        return self._short

    def left_bytes(self) -> int:
        """Return the bytes that new work may use; below 0 while the disk is short."""
        reserve = conf.DISK_RESERVE_BYTES
        slack = min(reserve // 8, SLACK_BYTES) if self._short else 0
        return store.free_bytes() - reserve - slack

    def is_spent(self) -> bool:
        """Tell whether half of the reserve is gone too, so that running work has to give back."""
        return store.free_bytes() < conf.DISK_RESERVE_BYTES // 2


room = Room()
