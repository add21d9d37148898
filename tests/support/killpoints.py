"""A switch for tests: kills its process with SIGKILL at its n-th durable action.

A durable action is a write to a file of ours, a sync, a new, renamed or removed name, a
database commit (also of a lone statement), a ring of the bell, an e-mail; besides, the start
of a sandboxed child and each of its messages. The process dies just before the action; what
lies between two actions is the same to the disk and the database. `write-half` dies after
half of the bytes. Arm it in a forked child only: it replaces functions for good.
"""

import os
import signal
import site
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tests.support.killpoints_sync import Syncs
from uploads.operations import guard

ROOT = Path(__file__).resolve().parents[2]
OURS = (f"{ROOT}/uploads/", f"{ROOT}/project/")
BELL = f"{ROOT}/uploads/bell.py"
PACKAGES = tuple(f"{folder}/" for folder in site.getsitepackages())
BELOW = tuple(f"{folder}django/{part}/" for folder in PACKAGES for part in ("db", "utils"))
# A thread that was handed a function of `os` has no frame of ours; the intake alone does so.
HANDED_ON = "uploads/intake/writer.py:in_thread"
WRONG = "! "
KILLED = f"{WRONG}killed"
DATABASE_KINDS = ("commit", "ring")


@dataclass(frozen=True)
class Point:
    """A place to die: the label of an action and which time it is met, from 1."""

    label: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.label} #{self.occurrence}"

    @property
    def kind(self) -> str:
        return self.label.rpartition(" ")[2]


def points_of(labels: Sequence[str]) -> list[Point]:
    """Return every point of a counted run, in order."""
    met: Counter[str] = Counter()
    found = []
    for label in labels:
        met[label] += 1
        found.append(Point(label, met[label]))
    return found


class Switch:
    """Names every durable action below `folders` on `report`, and dies at `point` if given.

    With `spare` the process's children die in its place.
    """

    def __init__(
        self, report: int, folders: Sequence[Path], point: Point | None, *, spare: bool = False
    ) -> None:
        self._report = report
        self.folders = tuple(f"{folder.resolve()}/" for folder in folders)
        self._point = point
        self._spare = spare
        self._met = 0
        self._lock = threading.Lock()
        self._write = os.write
        self.syncs = Syncs()

    def act(self, kind: str) -> None:
        """Note one action that is about to happen; does not return at the chosen one."""
        label = f"{_place(sys._getframe(1), kind)} {kind}"
        with self._lock:
            self._write(self._report, f"{label}\n".encode())
            if self._point is not None and self._point.label == label:
                self._met += 1
                if self._met == self._point.occurrence:
                    self._kill()

    def _kill(self) -> None:
        if self._spare:  # this process lives on without its children
            self._write(self._report, KILLED.encode() + b"\n")
            for child in guard.children():
                os.kill(child, signal.SIGKILL)
        else:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # the signal takes the whole process before this returns

    def object(self, fault: str) -> None:
        """Report what is wrong although no kill shows it; nothing for ''."""
        if fault:
            self._write(self._report, f"{WRONG}{fault}\n".encode())

    def concerns(self, path: Any, folder: int | None = None) -> bool:
        """Tell whether a path or descriptor is a file of ours."""
        if isinstance(path, int):
            full = behind(path)
        else:
            name = os.fsdecode(path)
            full = str(Path(behind(folder) if folder is not None else "", name).absolute())
        return full.startswith(self.folders)


def behind(descriptor: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""


def _place(frame: FrameType | None, kind: str) -> str:
    """Return `file:function` of the nearest frame of our code, else of a library's."""
    passed = BELL if kind == "ring" else ""  # a ring belongs to whoever rings
    library = ""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(OURS) and name != passed:
            return f"{name.removeprefix(f'{ROOT}/')}:{_function(frame)}"
        if not library and name.startswith(PACKAGES) and not name.startswith(BELOW):
            library = f"{name.partition('site-packages/')[2]}:{_function(frame)}"
        frame = frame.f_back
    return library or HANDED_ON


def _function(frame: FrameType) -> str:
    return frame.f_code.co_qualname.partition(".<locals>")[0]
