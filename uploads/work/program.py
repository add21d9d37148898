"""A program in a session of its own: feed it, hear it, end it with all it started; knows no operation.

One loop in the main thread, no threads. After `close` every process that the
program started is dead and reaped, wherever it went, and every descriptor is
closed: the process group is killed, and who left the group was inherited by
this process (a subreaper) when its parent ended, and is killed as a child.
"""

import contextlib
import math
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from uploads.operations.guard import adopt_orphans, children, end_children
from uploads.work.niceness import stand_back

GRACE_SECONDS = 3.0
LINE_MAX_BYTES = 8 * 1024**2
ERRORS_BYTES = 4096
NICE = 15
READ_BYTES = 64 * 1024
LOOK_SECONDS = 0.05  # where nothing wakes the loop in time
SAID_BYTES_PER_SECOND = 1024**2


def _cpu_of_children() -> float:
    """Return the processor time of all reaped children so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class LineTooLongError(ValueError):
    """The program wrote more than `LINE_MAX_BYTES` without an end of line."""


class DeadlineError(Exception):
    """The program ran longer than it may."""


@dataclass
class Chore:
    """Something to do about each so many seconds beside listening."""

    deed: Callable[[], None]
    seconds: float
    due: float = 0

    def do_if_due(self) -> None:
        """Do it when its time has come; first after its seconds."""
        now = time.monotonic()
        if now >= self.due:
            if self.due:
                self.deed()
            self.due = time.monotonic() + self.seconds


class Tap:
    """Lets so many bytes through at once, and then 1 MiB a second: who says more has to wait."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = float(most)
        self._seen = time.monotonic()

    def let_through(self, size: int) -> None:
        """Count bytes that were read."""
        self._left -= size

    def is_open(self) -> bool:
        """Tell whether the next bytes may be read."""
        now = time.monotonic()
        gained = (now - self._seen) * SAID_BYTES_PER_SECOND
        self._left, self._seen = min(self._most, self._left + gained), now
        return self._left > 0


class Program:
    """One started program; `close` is safe at any moment, also before and during the start.

    `errors` is the end of its standard error, `line` what it wrote after the last line's end,
    `status` its exit code or its signal's negative number, `peak` the memory of its largest
    process (getrusage's unit), `cpu_seconds` the time of all its processes.
    """

    def __init__(self) -> None:
        self.errors = bytearray()
        self.line = bytearray()
        self.status: int | None = None
        self.peak = 0
        self._cpu_before = _cpu_of_children()
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd: int | None = None
        self._group_killed = False
        self._unsent = memoryview(b"")
        self._taps: dict[int, Tap] = {}
        self._shut: dict[int, Tap] = {}
        self._news = select.poll()
        self._end = select.poll()
        self._spare = children()

    # --- start and talk -------------------------------------------------------

    def start(
        self, command: Sequence[str], folder: Path, environment: dict[str, str], text: bytes
    ) -> None:
        """Start the command; `text` will be its standard input."""
        adopt_orphans()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        # From its first instruction on: the start alone burns enough to be felt by web pages.
        stand_back(self._process.pid, NICE)
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # a filter around us may not know it
                self._pidfd = os.pidfd_open(self._process.pid)
                self._news.register(self._pidfd, select.POLLIN)
                self._end.register(self._pidfd, select.POLLIN)
        self._unsent = memoryview(text)
        self._stdin, self._stdout, self._stderr = (pipe.fileno() for pipe in self._pipes())
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        self._taps = {self._stdout: Tap(LINE_MAX_BYTES), self._stderr: Tap(SAID_BYTES_PER_SECOND)}
        self._news.register(self._stdin, select.POLLOUT)
        self._news.register(self._stdout, select.POLLIN)
        self._news.register(self._stderr, select.POLLIN)

    def _pipes(self) -> list[IO[bytes]]:
        if self._process is None:
            return []
        three = (self._process.stdin, self._process.stdout, self._process.stderr)
        return [pipe for pipe in three if pipe is not None]

    def attend(
        self,
        hear: Callable[[bytes], None],
        chores: "Sequence[Chore]",
        seconds: float,
    ) -> None:
        """Feed the program and hand on its lines until it has ended and all is read.

        Raises `DeadlineError` after `seconds`, `LineTooLongError`, and what `hear` and chores raise.
        """
        deadline = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() >= deadline:
                raise DeadlineError
            for chore in chores:
                chore.do_if_due()
            soonest = min([deadline, *(chore.due for chore in chores)])
            self._turn(soonest - time.monotonic(), self._lines(hear))
        self.end()  # nobody writes any more: what the pipes hold is the rest
        while self._read(self._stdout, self._lines(hear)):
            pass
        while self._read(self._stderr, self._keep):
            pass

    def _turn(self, seconds: float, take: Callable[[bytes], None]) -> None:
        """Wait for news and take them, from a pipe that says too much only so much a second."""
        for descriptor in [full for full, tap in self._shut.items() if tap.is_open()]:
            del self._shut[descriptor]
            self._news.register(descriptor, select.POLLIN)
        if self._pidfd is None or self._shut:
            seconds = min(seconds, LOOK_SECONDS)
        for descriptor, _ in self._news.poll(max(0, math.ceil(seconds * 1000))):
            if descriptor == self._stdin:
                self._feed()
            elif descriptor in self._taps:
                more = self._read(descriptor, take if descriptor == self._stdout else self._keep)
                if more and not self._taps[descriptor].is_open():
                    self._news.unregister(descriptor)
                    self._shut[descriptor] = self._taps[descriptor]

    def _feed(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._stdin, self._unsent) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = memoryview(b"")  # it ended without reading; its status tells why
        if not self._unsent:
            self._news.unregister(self._stdin)
            self._pipes()[0].close()

    def _read(self, descriptor: int, take: Callable[[bytes], None]) -> bool:
        """Hand on what one pipe holds; tell whether there may be more."""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            with contextlib.suppress(KeyError):
                self._news.unregister(descriptor)
            return False
        self._taps[descriptor].let_through(len(data))
        take(data)
        return True

    def _keep(self, data: bytes) -> None:
        self.errors += data
        del self.errors[:-ERRORS_BYTES]

    def _lines(self, hear: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            *ends, rest = data.split(b"\n")
            for end in ends:
                line = bytes(self.line) + end
                self.line.clear()
                hear(line)
            self.line += rest
            if len(self.line) > LINE_MAX_BYTES:
                raise LineTooLongError

        return take

    @property
    def pid(self) -> int:
        """Return the number of the first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        return _cpu_of_children() - self._cpu_before

    # --- the end ----------------------------------------------------------------

    def has_ended(self) -> bool:
        """Tell whether the first process has ended; it stays unreaped where the system allows."""
        if self._process is None or self.status is not None:
            return True
        if self._pidfd is not None:
            return bool(self._end.poll(0))
        self._reap(os.WNOHANG)
        return self.status is not None

    def _reap(self, flags: int = 0) -> None:
        assert self._process is not None
        number, status, usage = os.wait4(self._process.pid, flags)
        if number:
            self.status = self._process.returncode = os.waitstatus_to_exitcode(status)
            self.peak = max(self.peak, usage.ru_maxrss)

    def ask_to_stop(self, hear: Callable[[bytes], None]) -> None:
        """Send SIGTERM to the group, wait up to 3 s for its end and hand on what it still says."""
        if not self.has_ended():
            self._signal(signal.SIGTERM)
        give_up = time.monotonic() + GRACE_SECONDS
        while not self.has_ended() and (left := give_up - time.monotonic()) > 0:
            self._turn(left, self._lines(hear))
        while self._read(self._stdout, self._lines(hear)) and time.monotonic() < give_up:
            pass

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def end(self) -> None:
        """Kill the group and all that left it; reap them."""
        if self._process is not None and not self._group_killed:
            # Before it is reaped: until then its number can't be given to a stranger's group.
            self._signal(signal.SIGKILL)
            self._group_killed = True
            if self.status is None:
                self._reap()
        self.peak = max(self.peak, end_children(spare=self._spare))

    def close(self) -> None:
        """End everything and close every descriptor."""
        try:
            self.end()
        finally:
            if self._pidfd is not None:
                os.close(self._pidfd)
                self._pidfd = None
            for pipe in self._pipes():
                pipe.close()
