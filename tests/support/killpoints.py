"""A switch for tests: kills its process with SIGKILL at its n-th durable action.

A durable action is a write to a file of ours, a sync, a new, renamed or removed name, a
database commit (also of a lone statement), a ring of the bell, an e-mail; besides, the start
of a sandboxed child and each of its messages. The process dies just before the action; what
lies between two actions is the same to the disk and the database. `write-half` dies after
half of the bytes. Arm it in a forked child only: it replaces functions for good.
"""

import builtins
import io
import os
import signal
import site
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.mail import EmailMessage
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from uploads import bell
from uploads.work import perform, sandbox

ROOT = Path(__file__).resolve().parents[2]
OURS = (f"{ROOT}/uploads/", f"{ROOT}/project/")
BELL = f"{ROOT}/uploads/bell.py"
PACKAGES = tuple(f"{folder}/" for folder in site.getsitepackages())
BELOW = tuple(f"{folder}django/{part}/" for folder in PACKAGES for part in ("db", "utils"))
# A thread that was handed a function of `os` has no frame of ours; the intake alone does so.
HANDED_ON = "uploads/intake/writer.py:in_thread"
CHANGES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "REPLACE", "TRUNCATE")
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
    """Names every durable action below `folders` on `report`, and dies at `point` if given."""

    def __init__(self, report: int, folders: Sequence[Path], point: Point | None = None) -> None:
        self._report = report
        self._folders = tuple(f"{folder.resolve()}/" for folder in folders)
        self._point = point
        self._met = 0
        self._lock = threading.Lock()
        self._write = os.write

    def act(self, kind: str) -> None:
        """Note one action that is about to happen; does not return at the chosen one."""
        label = f"{_place(sys._getframe(1), kind)} {kind}"
        with self._lock:
            self._write(self._report, f"{label}\n".encode())
            if self._point is not None and self._point.label == label:
                self._met += 1
                if self._met == self._point.occurrence:
                    os.kill(os.getpid(), signal.SIGKILL)
                    signal.pause()  # the signal takes the whole process before this returns

    def concerns(self, path: Any, folder: int | None = None) -> bool:
        """Tell whether a path or descriptor is a file of ours."""
        if isinstance(path, int):
            full = _behind(path)
        else:
            name = os.fsdecode(path)
            full = str(Path(_behind(folder) if folder is not None else "", name).absolute())
        return full.startswith(self._folders)

    def arm(self) -> None:
        """Put the switch into every function that makes something durable."""
        _arm_names(self)
        _arm_bytes(self)
        _arm_opening(self)
        _arm_database(self)
        _arm_effects(self)


def _behind(descriptor: int) -> str:
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


def _can_not_be_made(path: Any) -> bool:
    return os.path.lexists(path) or not Path(path).parent.is_dir()


# --- the functions ----------------------------------------------------------------


def _arm_names(switch: Switch) -> None:
    """New, renamed and removed names."""

    def watched(kind: str, real: Callable[..., Any], *, missing: bool = False) -> Any:
        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            folder = named.get("dir_fd") or named.get("src_dir_fd")
            if switch.concerns(path, folder) and not (missing and _can_not_be_made(path)):
                switch.act(kind)
            return real(path, *arguments, **named)

        return call

    os.rename = watched("rename", os.rename)
    os.replace = watched("rename", os.replace)
    os.link = watched("link", os.link)
    os.unlink = watched("unlink", os.unlink)
    os.remove = watched("unlink", os.remove)
    os.rmdir = watched("rmdir", os.rmdir)
    os.mkdir = watched("mkdir", os.mkdir, missing=True)
    real_socket = bell.Listener._open_socket

    def open_socket(listener: bell.Listener, topic: str) -> None:
        switch.act("bind")
        real_socket(listener, topic)

    bell.Listener._open_socket = open_socket  # type: ignore[method-assign]


def _arm_bytes(switch: Switch) -> None:
    """Writes to descriptors, cuts and syncs."""

    def writing(real: Callable[..., int]) -> Any:
        def call(descriptor: int, data: Any, *arguments: Any) -> int:
            if not switch.concerns(descriptor):
                return real(descriptor, data, *arguments)
            switch.act("write")
            half = len(data) // 2
            if not half:
                return real(descriptor, data, *arguments)
            written = real(descriptor, memoryview(data)[:half], *arguments)
            switch.act("write-half")
            rest = [arguments[0] + written] if arguments else []
            return written + real(descriptor, memoryview(data)[written:], *rest)

        return call

    def watched(kind: str, real: Callable[..., Any]) -> Any:
        def call(target: Any, *arguments: Any) -> Any:
            if switch.concerns(target):
                switch.act(kind)
            return real(target, *arguments)

        return call

    os.write = writing(os.write)
    os.pwrite = writing(os.pwrite)
    os.truncate = watched("truncate", os.truncate)
    os.ftruncate = watched("truncate", os.ftruncate)
    os.fsync = watched("fsync", os.fsync)
    os.fdatasync = watched("fsync", os.fdatasync)


def _arm_opening(switch: Switch) -> None:
    """Files that are made or emptied by opening them; then, before the first byte is in them."""
    real_open, real_os_open = builtins.open, os.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        ours = set(mode) & set("wxa+") and switch.concerns(file)
        if ours and not isinstance(file, int):
            switch.act("create")
        handle = real_open(file, mode, *arguments, **named)
        if ours:
            switch.act("write")
        return handle

    def os_opened(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        makes = flags & os.O_CREAT and not os.path.lexists(path)
        if (makes or flags & os.O_TRUNC) and switch.concerns(path, named.get("dir_fd")):
            switch.act("create")
        return real_os_open(path, flags, *arguments, **named)

    builtins.open = io.open = opened  # type: ignore[assignment]
    os.open = os_opened


def _arm_database(switch: Switch) -> None:
    """Commits, and lone statements that commit by themselves."""
    wrapper: Any = BaseDatabaseWrapper
    cursor: Any = CursorWrapper
    commit, execute, many = wrapper._commit, cursor._execute, cursor._executemany

    def committed(connection: Any) -> Any:
        switch.act("commit")
        return commit(connection)

    def executed(self: Any, sql: str, *arguments: Any) -> Any:
        if not self.db.in_atomic_block and sql.lstrip().upper().startswith(CHANGES):
            switch.act("commit")
        return execute(self, sql, *arguments)

    def executed_many(self: Any, sql: str, *arguments: Any) -> Any:
        if not self.db.in_atomic_block:
            switch.act("commit")
        return many(self, sql, *arguments)

    wrapper._commit, cursor._execute, cursor._executemany = committed, executed, executed_many


def _arm_effects(switch: Switch) -> None:
    """The bell, e-mails, and the child: its start and each of its messages."""
    ring, send = bell.ring, EmailMessage.send
    run_child, start = perform.run_child, sandbox.Program.start

    def rung(topic: str, name: str = "") -> None:
        switch.act("ring")
        ring(topic, name)

    def sent(message: EmailMessage, *arguments: Any, **named: Any) -> int:
        switch.act("send")
        return send(message, *arguments, **named)

    def started(program: Any, *arguments: Any) -> None:
        switch.act("spawn")
        start(program, *arguments)

    def ran(request: Any, bounds: Any, *, on_message: Any, **named: Any) -> Any:
        def heard(message: Any) -> None:
            switch.act("hear")
            on_message(message)

        return run_child(request, bounds, on_message=heard, **named)

    bell.ring, EmailMessage.send = rung, sent  # type: ignore[method-assign]
    perform.run_child, sandbox.Program.start = ran, started  # type: ignore[method-assign]
