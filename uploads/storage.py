"""Where bytes live: uploads, results and scratch, named by keys below one data folder.

A key is a relative path of our own making (`incoming/…`, `store/…`), never
a user's name. A file is written elsewhere, synced and then renamed to its
key, so a key's file is complete or absent.
"""

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from django.conf import settings

from uploads.errors import Cancelled

READ_BYTES = 1024 * 1024
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
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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
        except OSError:
            shutil.copyfile(self.path(key), target)

    def delete(self, key: str) -> None:
        self.path(key).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return shutil.disk_usage(self.root).free

    def scratch(self) -> Path:
        """Return the folder of the steps' private folders, on the store's own disk."""
        folder = self.root / "scratch"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


store = LocalStore()
