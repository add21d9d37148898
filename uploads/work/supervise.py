"""Keep a few child processes alive; knows no Django, no database and no work.

One thread, no sleep, no wait on any child: signals arrive on a pipe, and every
duty is a comparison with the clock. A supervisor that opens no database
survives every outage. Children are forks: what it has loaded they need not load
again, which is most of a restart (docs/decisions/0020-children-are-forks.md).
"""

import logging
import os
import selectors
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from uploads.operations import guard
from uploads.work import kinship

logger = logging.getLogger("tidemill.up")

TICK_SECONDS: Final = 1.0
STARTING_TICK_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 1.0
# So many early ends are followed by a start at once; each stretch of life makes up for one.
FREE_STARTS: Final = 3
FORGIVING_SECONDS: Final = 10.0
LONGEST_PAUSE_SECONDS: Final = 30.0
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HEARD: Final = (*ENDING, signal.SIGCHLD)


class Born(BaseException):
    """Unwinds a new child out of its supervisor, whose objects are not its own."""


@dataclass
class Child:
    """One process to keep alive, in its own session; `orphaned` is its parent-death signal."""

    name: str
    main: Callable[[], object]
    orphaned: signal.Signals = signal.SIGKILL
    pid: int | None = None
    started: float = 0
    restart_at: float = 0
    failures: float = 0

    def start(self) -> None:
        """Start the process from the main thread, whose death it follows; raises `Born` in it."""
        parent = os.getpid()
        self.started = time.monotonic()
        self.pid = _fork()
        if self.pid == 0:
            guard.die_with_parent(parent, self.orphaned)
            os.setsid()
            guard.be_called(self.name)
            raise Born

    def ended(self) -> None:
        """Note the end; at once again, but after pauses that double when it keeps ending early."""
        now = time.monotonic()
        forgiven = (now - self.started) / FORGIVING_SECONDS
        self.failures = max(0.0, self.failures - forgiven) + 1
        early = min(self.failures - FREE_STARTS, 7)
        pause = 0.5 * 2 ** (early - 1) if early > 0 else 0.0
        self.restart_at = now + min(LONGEST_PAUSE_SECONDS, pause)
        self.pid = None


@dataclass
class Supervisor:
    """Starts the children, restarts what dies, and ends all of them within `grace` seconds."""

    children: Sequence[Child]
    grace_seconds: float
    address: str = ""
    on_ready: Callable[[], None] = lambda: None
    _ready: bool = False
    _stop_at: float | None = None
    _looked_at: float = 0
    _stopped: set[tuple[int, str]] = field(default_factory=set)

    def run(self) -> Callable[[], object] | None:
        """Supervise until SIGINT, SIGTERM or SIGHUP; a second one kills what is left.

        Returns None; and in each child what it is there for, to be called once all has unwound.
        """
        try:
            self._supervise()
        except Born:
            return next(child.main for child in self.children if child.pid == 0)
        return None

    def _supervise(self) -> None:
        guard.adopt_orphans()
        with _signals() as reader, selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            while True:
                if selector.select(self._tick()):
                    self._heed(os.read(reader, 512))
                self._reap()
                if self._stop_at is not None:
                    if not any(child.pid for child in self.children):
                        break
                    self._press()
                    continue
                self._start()
                self._look()
                self._greet()
        self._kill_orphans()

    def _tick(self) -> float:
        """Signals wake it anyway; only the start, a restart and a stop need a closer look."""
        waiting = any(child.pid is None for child in self.children)
        busy = waiting or not self._ready or self._stop_at is not None
        return STARTING_TICK_SECONDS if busy else TICK_SECONDS

    def _heed(self, numbers: bytes) -> None:
        for number in numbers:
            if number not in ENDING:
                continue
            if self._stop_at is None:
                logger.info("Stopping; press Ctrl-C again to stop at once")
                self._stop_at = time.monotonic() + self.grace_seconds
                for child in self.children:
                    if child.pid:
                        os.kill(child.pid, signal.SIGTERM)
            else:
                self._stop_at = 0

    def _press(self) -> None:
        """Kill the children that are still there when the grace is over."""
        if self._stop_at is not None and time.monotonic() > self._stop_at:
            for child in self.children:
                if child.pid:
                    kill_group(child.pid)

    def _start(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.pid is None and now >= child.restart_at:
                self._try(child)

    def _try(self, child: Child) -> None:
        """Start a child; with no process or memory left for it, try again after its pause."""
        try:
            child.start()
        except OSError as error:
            child.ended()
            logger.warning("%s can't be started: %s", child.name, error)

    def _reap(self) -> None:
        """Collect every dead child and adopted orphan; kill what a dead child left behind."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self.children:
                if child.pid == pid:
                    self._end(child, os.waitstatus_to_exitcode(status))

    def _end(self, child: Child, status: int) -> None:
        assert child.pid
        kill_group(child.pid)
        child.ended()
        if self._stop_at is None:
            pause = child.restart_at - time.monotonic()
            again = f"again in {pause:.1f} s" if pause > 0 else "starting it again"
            logger.warning("%s %s; %s", child.name, _ending(status), again)

    def _look(self) -> None:
        """Kill what two looks in a row find stopped (SIGSTOP) below us, and escaped orphans."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        below = _below()
        stopped = {(p.pid, p.start_time) for p in below if p.state == "T"}
        for pid, _ in stopped & self._stopped:
            logger.warning("Process %d has been stopped; killing it", pid)
            _kill(pid)
        self._stopped = stopped
        self._kill_orphans(below)

    def _kill_orphans(self, below: Sequence[kinship.Process] | None = None) -> None:
        """Kill adopted processes: their parent is dead, so nobody reads what they do."""
        own = {child.pid for child in self.children}
        for process in below or _below():
            if process.parent == os.getpid() and process.pid not in own and process.state != "Z":
                kill_group(process.pid)
                _kill(process.pid)

    def _greet(self) -> None:
        """Call `on_ready` once, as soon as the web server answers."""
        if not self._ready and answers(self.address):
            self._ready = True
            self.on_ready()


@contextmanager
def _signals() -> Iterator[int]:
    """Return a descriptor from which the numbers of arriving signals can be read."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in HEARD:
        signal.signal(number, lambda *_: None)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


def _fork() -> int:
    """Fork; in the child, where it returns 0, signals and input are as for a program of its own.

    Until they are, signals wait: one to the child must not be written into its parent's pipe.
    Raises `OSError` when there is no process or memory left.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    try:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for number in HEARD:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.close(nothing)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _below() -> list[kinship.Process]:
    """Return every process below this one; a few milliseconds, however many others there are."""
    found = (kinship.look(pid) for pid in kinship.family(os.getpid()))
    return [process for process in found if process is not None and process.pid != os.getpid()]


def answers(address: str) -> bool:
    """Tell whether a web server answers there, whatever it says; no address means yes."""
    if not address:
        return True
    try:
        urllib.request.urlopen(f"{address}/healthz", timeout=0.3).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def kill_group(leader: int) -> None:
    """Kill what is left of a child's process group; none left is fine."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ending(status: int) -> str:
    if status < 0:
        return f"was killed ({signal.Signals(-status).name})"
    return f"ended with status {status}"


def python(*arguments: str, **environment: str) -> list[str]:
    """Return the command line of this Python with variables added to the environment."""
    pairs = [f"{name}={value}" for name, value in environment.items()]
    return ["env", *pairs, sys.executable, *arguments]
