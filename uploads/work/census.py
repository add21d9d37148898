"""Census: what a child and all that it started use together at this moment; no Django, no rows.

The kernel limits each process; a herd of them may still take the machine. So
the worker adds up, some times a second, what it sees of them in /proc and in
their scratch folder. Linux only: elsewhere nothing is seen.
"""

import contextlib
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from uploads.work.kinship import family

BLOCK_BYTES = 512  # st_blocks counts these everywhere (man 3type stat)
LOOK_SECONDS = 0.25
# Files are counted as often as that takes a twentieth of the time, but at most once a second.
DISK_SECONDS = 1.0
DISK_SHARE = 20
ANONYMOUS = re.compile(r"^(?:RssAnon|RssShmem):\s+(\d+) kB", re.M)
SHARED_OUT = re.compile(r"^(?:Pss_Anon|Pss_Shmem):\s+(\d+) kB", re.M)
THREADS = re.compile(r"^Threads:\s+(\d+)", re.M)


@dataclass(frozen=True)
class Ceilings:
    """The most that all processes of a child may use together."""

    memory_bytes: int
    tasks: int
    scratch_bytes: int
    scratch_files: int


class TooMuchError(Exception):
    """A ceiling is broken; `code` is that of the catalogue."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Census:
    """Looks at the processes below `root` and at the folder `out`; `look` raises `TooMuchError`."""

    root: int
    out: Path
    ceilings: Ceilings
    _disk_due: float = field(default_factory=time.monotonic)
    _scales: "_Scales | None" = None

    def look(self) -> None:
        """Compare what is used with the ceilings; cheap enough for four times a second."""
        tasks, memory, members = 0, 0, []
        for pid in family(self.root):
            status = _read(f"/proc/{pid}/status")
            tasks += sum(map(int, THREADS.findall(status)))
            memory += 1024 * sum(map(int, ANONYMOUS.findall(status)))
            members.append(pid)
            if tasks > self.ceilings.tasks:
                raise TooMuchError("too_many_processes")
        if memory > self.ceilings.memory_bytes:
            self._weigh(members)
        begun = time.monotonic()
        if begun >= self._disk_due:
            self._look_at_files(members)
            took = time.monotonic() - begun
            self._disk_due = time.monotonic() + max(DISK_SECONDS, DISK_SHARE * took)

    def close(self) -> None:
        """Wait for the end of what is still being looked at; the processes are gone."""
        if self._scales is not None:
            self._scales.join()

    def _weigh(self, members: list[int]) -> None:
        """Find out exactly: forked processes share pages, which the quick sum counts for each."""
        if self._scales is None:
            self._scales = _Scales(members)
            self._scales.start()
        elif not self._scales.is_alive():
            found, self._scales = self._scales.found, None
            if found > self.ceilings.memory_bytes:
                raise TooMuchError("out_of_memory")

    def _look_at_files(self, members: list[int]) -> None:
        nameless = {}
        for pid in members:
            nameless.update(_nameless_files(pid))
        used, files = sum(nameless.values()), len(nameless)
        for found in _files_below(str(self.out)):
            used += BLOCK_BYTES * found.st_blocks
            files += 1
            if used > self.ceilings.scratch_bytes:
                raise TooMuchError("scratch_full")
            if files > self.ceilings.scratch_files:
                raise TooMuchError("too_many_outputs")
        if used > self.ceilings.scratch_bytes:
            raise TooMuchError("scratch_full")


class _Scales(Thread):
    """Weighs processes in a thread: the kernel lets it wait while one of them forks or maps."""

    def __init__(self, members: list[int]) -> None:
        super().__init__(name="scales", daemon=True)
        self._members = members
        self.found = 0

    def run(self) -> None:
        self.found = real_memory(self._members)


def real_memory(members: list[int]) -> int:
    """Return the bytes of memory that processes hold together, each shared page counted once."""
    total = 0
    for pid in members:
        shares = SHARED_OUT.findall(_read(f"/proc/{pid}/smaps_rollup"))
        # Older kernels do not tell the kinds apart there.
        kinds = shares or ANONYMOUS.findall(_read(f"/proc/{pid}/status"))
        total += 1024 * sum(map(int, kinds))
    return total


def _nameless_files(pid: int) -> dict[tuple[int, int], int]:
    """Return the bytes of the files that a process has open and that no folder names any more."""
    found = {}
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                file = descriptor.stat()
                if stat.S_ISREG(file.st_mode) and file.st_nlink == 0:
                    found[file.st_dev, file.st_ino] = BLOCK_BYTES * file.st_blocks
    return found


def _files_below(folder: str) -> Iterator[os.stat_result]:
    """Return what lies in a folder and below, folders included; links are not followed."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    yield entry.stat(follow_symlinks=False)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
