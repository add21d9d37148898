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
from pathlib import Path
from typing import IO

from uploads.operations.guard import adopt_orphans, children, end_children
from uploads.work.niceness import stand_back

GRACE_SECONDS = 3.0
LINE_MAX_BYTES = 8 * 1024**2
ERRORS_BYTES = 4096
NICE = 15
READ_BYTES = 64 * 1024
WITHOUT_PIDFD_SECONDS = 0.05


def _cpu_of_children() -> float:
    """Return the processor time of all reaped children so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class LineTooLongError(ValueError):
    """The program wrote more than `LINE_MAX_BYTES` without an end of line."""


class DeadlineError(Exception):
    """The program ran longer than it may."""


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
        tick: Callable[[], None],
        tick_seconds: float,
        seconds: float,
    ) -> None:
        """Feed the program and hand on its lines until it has ended and all is read.

        Raises `DeadlineError` after `seconds`, `LineTooLongError`, and what `hear` and `tick` raise.
        """
        now = time.monotonic()
        deadline, next_tick = now + seconds, now + tick_seconds
        while not self.has_ended():
            now = time.monotonic()
            if now >= deadline:
                raise DeadlineError
            if now >= next_tick:
                tick()
                next_tick = time.monotonic() + tick_seconds
            self._turn(min(next_tick, deadline) - time.monotonic(), self._lines(hear))
        self.end()  # nobody writes any more: what the pipes hold is the rest
        while self._read(self._stdout, self._lines(hear)):
            pass
        while self._read(self._stderr, self._keep):
            pass

    def _turn(self, seconds: float, take: Callable[[bytes], None]) -> None:
        """Wait for news and take them."""
        if self._pidfd is None:
            seconds = min(seconds, WITHOUT_PIDFD_SECONDS)
        for descriptor, _ in self._news.poll(max(0, math.ceil(seconds * 1000))):
            if descriptor == self._stdin:
                self._feed()
            elif descriptor == self._stdout:
                self._read(descriptor, take)
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
