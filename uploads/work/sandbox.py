"""Start an operation's child, talk with it, and leave nothing of it; knows no rows and no leases.

One call, one child, one thread: the child is started, fed and heard by a
single loop in the main thread. When `run_child` returns or raises, every
process that the child started is dead and reaped and every descriptor is closed.
"""

import contextlib
import json
import math
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

from uploads.conf import conf
from uploads.errors import LeaseLost, StepError, TidemillError
from uploads.operations.base import Profile
from uploads.operations.confine import program_folders
from uploads.operations.guard import adopt_orphans, children, end_children
from uploads.operations.landlock import ABI_SCOPE

Json = dict[str, Any]

GRACE_SECONDS = 3.0
FILES = 256
NICE = 10
LINE_MAX_BYTES = 8 * 1024**2
STDERR_BYTES = 4096
READ_BYTES = 64 * 1024
WITHOUT_PIDFD_SECONDS = 0.05
PACKAGE_PARENT = Path(__file__).resolve().parents[2]
PROGRAM = ("-P", "-s", "-X", "faulthandler", "-m", "uploads.operations.child")
MESSAGES = frozenset({"start", "progress", "log", "output", "parts", "done", "error"})
NO_MEMORY = re.compile(r"failed to allocate|cannot allocate memory|out of memory|bad_alloc", re.I)
RSS_UNIT = 1024 if sys.platform == "linux" else 1  # getrusage counts KiB there, bytes on macOS
CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS"})


@dataclass(frozen=True)
class Bounds:
    """What one child may use: two folders, address space, file size, wall time, the network or not.

    It may read `inputs` and write `out`; the request's paths lie in these. A limit of 0 for
    `output_bytes` means the setting's. The processor time may be the wall time on every core.
    """

    inputs: Path
    out: Path
    memory_bytes: int
    wall_seconds: float
    output_bytes: int = 0
    profile: Profile = "decode"

    def limits(self) -> dict[str, int]:
        """Return what the kernel is asked to enforce; no bound is above its setting."""
        cores = os.cpu_count() or 1
        return {
            "memory_bytes": min(self.memory_bytes, conf.MEMORY_MAX_BYTES),
            "file_bytes": min(self.output_bytes or conf.OUTPUT_MAX_BYTES, conf.OUTPUT_MAX_BYTES),
            "cpu_seconds": math.ceil(self.wall_seconds * cores) + 1,
            "files": FILES,
        }

    def words(self) -> dict[str, str]:
        """Return each limit as people read it, by the code of its error."""
        limits = self.limits()
        return {
            "out_of_memory": _words(limits["memory_bytes"]),
            "output_too_large": _words(limits["file_bytes"]),
            "step_timeout": f"{self.wall_seconds:g} seconds",
        }


@dataclass(frozen=True)
class Level:
    """How well a child is shut in here: `full` closes files and network; reasons are sentences.

    A full level may have reasons as well: what an older kernel leaves open beside those.
    """

    name: Literal["full", "reduced"]
    reasons: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Exit:
    """How a child ended: a code of the catalogue with its values, "" when it served its request.

    `item` is the key of the item that it worked on when it ended early; `detail` the last 4 KB
    of its standard error; `status` the exit code, or the signal's negative number.
    """

    code: str
    values: dict[str, str]
    item: str | None
    detail: str
    status: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


class _Fault(TidemillError):  # noqa: N818 - the child's, not ours
    """The child has to be ended at once, for a reason of the catalogue."""


def run_child(
    request: Json,
    bounds: Bounds,
    *,
    on_message: Callable[[Json], None],
    tick: Callable[[], None],
    tick_seconds: float = 1.0,
    machine: Level | None = None,
) -> Exit:
    """Run one request in a child and return how it ended; main thread only.

    `on_message` gets each message (see `uploads.operations.child`) in order, `tick` is called
    about each `tick_seconds`. What either raises is raised again once the child is gone:
    after SIGTERM and 3 s for any `Exception`, at once for `LeaseLost` and all others.
    Raises `StepError` (`sandbox_unavailable`) before the start. `machine` runs it as on a
    weaker machine than this one.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a child is started from the main thread only")
    machine = machine or level()
    if conf.SANDBOX != "auto" and machine.name != "full":
        raise StepError("sandbox_unavailable", reason=" ".join(machine.reasons))
    child = Child(request, bounds, machine, on_message, tick, tick_seconds)
    try:
        child.start()
        child.attend()
    except _Fault as fault:
        child.end()
        return child.ending(fault)
    except LeaseLost:
        raise
    except Exception:
        child.ask_to_stop()
        raise
    finally:
        child.close()
    return child.ending()


class Child:
    """A running child and its three pipes; `close` is safe at any moment and ends everything."""

    def __init__(
        self,
        request: Json,
        bounds: Bounds,
        machine: Level,
        on_message: Callable[[Json], None],
        tick: Callable[[], None],
        tick_seconds: float,
    ) -> None:
        self.request = request
        self.level = machine
        self.bounds = bounds
        self.on_message = on_message
        self.tick = tick
        self.tick_seconds = tick_seconds
        self.items = {item["key"] for item in request["items"]}
        self.limits = bounds.words()
        self.item: str | None = None
        self.errors = bytearray()
        self.process: subprocess.Popen[bytes] | None = None
        self.pidfd: int | None = None
        self.status: int | None = None
        self.usage: Any = None
        self._line = bytearray()
        self._unsent = memoryview(b"")
        self._poll = select.poll()
        self._ended = select.poll()
        self._group_killed = False
        self._spare = children()
        self._ooms = _ooms()

    # --- start and talk -------------------------------------------------------

    def start(self) -> None:
        """Start the program in a session of its own, with its request waiting to be sent."""
        adopt_orphans()
        self.started = time.monotonic()
        self.deadline = self.started + self.bounds.wall_seconds
        self.process = subprocess.Popen(
            [sys.executable, *PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=self.bounds.out,
            env=environment(self.bounds.out),
            start_new_session=True,
        )
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self.pidfd = os.pidfd_open(self.process.pid)
                self._poll.register(self.pidfd, select.POLLIN)
                self._ended.register(self.pidfd, select.POLLIN)
        request = {**self.request, "out": str(self.bounds.out), "confine": self._rules()}
        self._unsent = memoryview(json.dumps(request, default=str).encode())
        self._stdin, self._stdout, self._stderr = (pipe.fileno() for pipe in self._pipes())
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        self._poll.register(self._stdin, select.POLLOUT)
        self._poll.register(self._stdout, select.POLLIN)
        self._poll.register(self._stderr, select.POLLIN)

    def _pipes(self) -> list[IO[bytes]]:
        if self.process is None:
            return []
        three = (self.process.stdin, self.process.stdout, self.process.stderr)
        return [pipe for pipe in three if pipe is not None]

    def _rules(self) -> Json:
        return {
            "parent": os.getpid(),
            "profile": self.bounds.profile,
            "layers": self.level.layers,
            "inputs": str(self.bounds.inputs),
            "out": str(self.bounds.out),
            "read": [*more_paths(), *([conf.FFMPEG] if conf.FFMPEG else [])],
            "nice": NICE,
            "limits": self.bounds.limits(),
        }

    def attend(self) -> None:
        """Feed and hear the child until its first process has ended; raises `_Fault` at a limit."""
        next_tick = self.started + self.tick_seconds
        while not self.has_ended():
            now = time.monotonic()
            if now >= self.deadline:
                raise _Fault("step_timeout", limit=self.limits["step_timeout"])
            if now >= next_tick:
                self.tick()
                next_tick = time.monotonic() + self.tick_seconds
            self._turn(min(next_tick, self.deadline) - time.monotonic(), self._hear)
        self.end()
        while self._read(self._stdout, self._hear) or self._read(self._stderr, self._keep):
            pass
        if self._line and self.status == 0:
            raise _Fault("operation_bug", reason="Its last message is cut off.")

    def _turn(self, seconds: float, hear: Callable[[bytes], None]) -> None:
        """Wait for news and take them."""
        if self.pidfd is None:
            seconds = min(seconds, WITHOUT_PIDFD_SECONDS)
        for descriptor, _ in self._poll.poll(max(0, math.ceil(seconds * 1000))):
            if descriptor == self._stdin:
                self._feed()
            elif descriptor == self._stdout:
                self._read(descriptor, hear)
            elif descriptor == self._stderr:
                self._read(descriptor, self._keep)

    def _feed(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._stdin, self._unsent) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = memoryview(b"")  # it ended without reading; its status tells why
        if not self._unsent:
            self._poll.unregister(self._stdin)
            self._pipes()[0].close()

    def _read(self, descriptor: int, take: Callable[[bytes], None]) -> bool:
        """Hand on what one pipe holds; tell whether there may be more."""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            with contextlib.suppress(KeyError):
                self._poll.unregister(descriptor)
            return False
        take(data)
        return True

    def _keep(self, data: bytes) -> None:
        self.errors += data
        del self.errors[:-STDERR_BYTES]

    def _hear(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = bytes(self._line) + line
            self._line.clear()
            self._message(whole)
        self._line += rest
        if len(self._line) > LINE_MAX_BYTES:
            raise _Fault("operation_bug", reason="It sent a line that is too long.")

    def _message(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            known = message["t"] in MESSAGES and message["item"] in self.items
        except (ValueError, TypeError, KeyError, RecursionError):
            known = False
        if not known:
            raise _Fault("operation_bug", reason="It sent a line that is no message.")
        if message["t"] == "output":
            self._check_output(message)
        if message["t"] == "error" and message.get("code") in self.limits:
            message["values"] = {"limit": self.limits[message["code"]], **message["values"]}
        if message["t"] in {"start", "done", "error"}:
            self.item = message["item"] if message["t"] == "start" else None
        self.on_message(message)

    def _check_output(self, message: Json) -> None:
        """Refuse an output that is no plain file of this child; a link could name any other file."""
        path = Path(str(message.get("path")))
        out = self.bounds.out.resolve()
        try:
            plain = path.resolve(strict=True) == out / path.relative_to(self.bounds.out)
            plain = plain and path.is_file() and path.stat().st_nlink == 1
        except (OSError, ValueError):
            plain = False
        if not plain:
            raise _Fault("operation_bug", reason="It named an output that is no file of its own.")

    # --- the end ----------------------------------------------------------------

    def has_ended(self) -> bool:
        """Tell whether the first process has ended; it stays unreaped where the system allows."""
        if self.status is not None or self.process is None:
            return True
        if self.pidfd is not None:
            return bool(self._ended.poll(0))
        self._reap(os.WNOHANG)
        return self.status is not None

    def _reap(self, flags: int = 0) -> None:
        assert self.process is not None
        number, status, usage = os.wait4(self.process.pid, flags)
        if number:
            self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
            self.usage = usage

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the group and wait up to 3 s; what it still says is dropped."""
        if self.process is None or self.has_ended():
            return
        self._signal(signal.SIGTERM)
        give_up = time.monotonic() + GRACE_SECONDS
        while not self.has_ended() and (left := give_up - time.monotonic()) > 0:
            self._turn(left, lambda data: None)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Kill the group and all that left it; reap them."""
        if self.process is not None and not self._group_killed:
            # Before it is reaped: until then its number can't be given to a stranger's group.
            self._signal(signal.SIGKILL)
            self._group_killed = True
            if self.status is None:
                self._reap()
        end_children(spare=self._spare)

    def close(self) -> None:
        """End everything and close every descriptor."""
        try:
            self.end()
        finally:
            if self.pidfd is not None:
                os.close(self.pidfd)
                self.pidfd = None
            for pipe in self._pipes():
                pipe.close()

    def ending(self, fault: _Fault | None = None) -> Exit:
        """Say how it ended, in the catalogue's codes."""
        assert self.status is not None
        detail = self.errors.decode(errors="replace")
        code, values = (fault.code, fault.values) if fault else self._cause(detail)
        return Exit(
            code=code,
            values={name: str(value) for name, value in values.items()},
            item=self.item,
            detail=detail,
            status=self.status,
            seconds=time.monotonic() - self.started,
            cpu_seconds=self.usage.ru_utime + self.usage.ru_stime,
            peak_bytes=self.usage.ru_maxrss * RSS_UNIT,
        )

    def _cause(self, detail: str) -> tuple[str, dict[str, object]]:
        status = self.status or 0
        if status == 0:
            return "", {}
        if status > 0:
            last = detail.strip().rpartition("\n")[2]
            return "operation_bug", {"reason": last[:300] or f"It ended with code {status}."}
        name = signal.Signals(-status).name
        code = {"SIGXFSZ": "output_too_large", "SIGXCPU": "step_timeout"}.get(name)
        if name == "SIGKILL" and _ooms() > self._ooms:
            code = "out_of_memory"
        if name in CRASHES and NO_MEMORY.search(detail):
            code = "out_of_memory"
        if code is None:
            return "decoder_crashed", {"signal": name}
        return code, {"limit": self.limits[code]}


def level() -> Level:
    """Say what this machine gives; the first call of a process tries it out in a child (0.1 s)."""
    found = _tried()
    layers = []
    reasons = []
    if isinstance(found["landlock"], int):
        layers.append("landlock")
    else:
        reasons.append(f"Operations can read other files ({found['landlock']}).")
    if found["seccomp"] is True:
        layers.append("seccomp")
    else:
        reasons.append(f"Operations can open the network ({found['seccomp']}).")
    data = Path(conf.DATA).resolve()
    for folder in {*program_folders(), *map(Path, more_paths())}:
        if data.is_relative_to(folder.resolve()):
            reasons.append(f"The data folder lies in {folder}, which operations may read.")
    name: Literal["full", "reduced"] = "reduced" if reasons else "full"
    if isinstance(found["landlock"], int) and found["landlock"] < ABI_SCOPE:
        reasons.append("Operations can send signals to Tidemill's processes (before Linux 6.12).")
    return Level(name, tuple(reasons), tuple(layers))


@cache
def _tried() -> Json:
    """Let a program try each layer on itself."""
    command = [sys.executable, "-P", "-s", "-m", "uploads.operations.confine"]
    try:
        done = subprocess.run(
            command,
            env=environment(PACKAGE_PARENT),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=True,
        )
        found: Json = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return {"landlock": str(error), "seccomp": str(error)}
    return found


def environment(out: Path) -> dict[str, str]:
    """Return all that the child's environment holds."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(out),
        "TMPDIR": str(out),
        "PYTHONPATH": os.pathsep.join([str(PACKAGE_PARENT), *more_paths()]),
        "VIPS_CONCURRENCY": "1",
        "VIPS_BLOCK_UNTRUSTED": "1",
    }


def more_paths() -> list[str]:
    """Return the folders of operations that are installed outside this Python."""
    return [path for path in conf.OPERATIONS_PATH.split(os.pathsep) if path]


def _words(size: int) -> str:
    """Return a size in bytes as people read it."""
    for unit, bytes_each in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size >= bytes_each:
            return f"{size / bytes_each:.3g} {unit}"
    return f"{size} bytes"


def _ooms() -> int:
    """Return how many processes this machine's kernel has killed for want of memory."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
