"""A disk that is small enough to be filled, and what fills it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024
UNTESTED = "A FULL DISK IS NOT TESTED: it takes the right to mount a small one"


@contextmanager
def small_disk(folder: Path, mebibytes: int, names: int = 100_000) -> Iterator[Path]:
    """Mount a file system for so many bytes and files at the folder.

    Skips the test, loudly, where that is not allowed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    limits = f"size={mebibytes}m,nr_inodes={names},mode=700"
    options = ["-t", "tmpfs", "-o", limits, "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], check=False).returncode:
        pytest.skip(UNTESTED)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


class Filler:
    """A file that takes the disk's room away and gives it back."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self._number = 0

    def leave(self, left_bytes: int) -> None:
        """Fill the disk until only so much is free; some more where others fill as well."""
        while (excess := free_bytes(self.disk) - left_bytes) > 0:
            self._number += 1
            try:
                self._path(self._number).write_bytes(bytes(excess))
            except OSError:
                continue

    def shrink(self, left_bytes: int) -> None:
        """Give back until so much is free, and never more on the way."""
        while (short := left_bytes - free_bytes(self.disk)) > 0:
            path = self._path(self._number)
            kept = path.stat().st_size - short
            if kept > 0:
                os.truncate(path, kept)
            else:
                path.unlink()
                self._number -= 1

    def take_names(self) -> None:
        """Let no further file be made either; as many others as there may be meanwhile."""
        while True:
            self._number += 1
            try:
                self._path(self._number).touch()
            except OSError:
                return

    def give_back(self) -> None:
        for number in range(self._number + 1):
            self._path(number).unlink(missing_ok=True)
        self._number = 0

    def _path(self, number: int) -> Path:
        return self.disk / f"filler{number}"
