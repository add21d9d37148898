"""Keep a few child processes alive; knows no Django, no database and no work.

One thread, no sleep, no wait on any child: signals arrive on a pipe, and every
duty is a comparison with the clock. A supervisor that opens no database
survives every outage.
"""

import logging
import os
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Child:
    """One process to keep alive, in its own session; `orphaned` is its parent-death signal."""

    name: str
    arguments: Sequence[str]
    orphaned: signal.Signals = signal.SIGKILL
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0
    restart_at: float = 0
    failures: float = 0

    def start(self, folder: Path) -> None:
        """Start the process from the main thread, whose death it follows."""
        parent = os.getpid()

        def enter() -> None:
            guard.die_with_parent(parent, self.orphaned)

        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.arguments,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=enter,  # safe: this process has one thread
        )

    def ended(self) -> None:
        """Note the end; at once again, but after pauses that double when it keeps ending early."""
        now = time.monotonic()
        forgiven = (now - self.started) / FORGIVING_SECONDS
        self.failures = max(0.0, self.failures - forgiven) + 1
        early = min(self.failures - FREE_STARTS, 7)
        pause = 0.5 * 2 ** (early - 1) if early > 0 else 0.0
        self.restart_at = now + min(LONGEST_PAUSE_SECONDS, pause)
        self.process = None


@dataclass
class Supervisor:
    """Starts the children, restarts what dies, and ends all of them within `grace` seconds."""

    children: Sequence[Child]
    folder: Path
    grace_seconds: float
    address: str = ""
    on_ready: Callable[[], None] = lambda: None
    _ready: bool = False
    _stop_at: float | None = None
    _looked_at: float = 0
    _stopped: set[tuple[int, str]] = field(default_factory=set)

    def run(self) -> None:
        """Supervise until SIGINT, SIGTERM or SIGHUP; a second one kills what is left."""
        guard.adopt_orphans()
        reader = self._listen()
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            while True:
                if selector.select(self._tick()):
                    self._heed(os.read(reader, 512))
                self._reap()
                if self._stop_at is not None:
                    if not any(child.process for child in self.children):
                        break
                    self._press()
                    continue
                self._start()
                self._look()
                self._greet()
        self._kill_orphans()

    def _tick(self) -> float:
        """Signals wake it anyway; only the start, a restart and a stop need a closer look."""
        waiting = any(child.process is None for child in self.children)
        busy = waiting or not self._ready or self._stop_at is not None
        return STARTING_TICK_SECONDS if busy else TICK_SECONDS

    def _listen(self) -> int:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (*ENDING, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        return reader

    def _heed(self, numbers: bytes) -> None:
        for number in numbers:
            if number not in ENDING:
                continue
            if self._stop_at is None:
                logger.info("Stopping; press Ctrl-C again to stop at once")
                self._stop_at = time.monotonic() + self.grace_seconds
                for child in self.children:
                    if child.process:
                        child.process.send_signal(signal.SIGTERM)
            else:
                self._stop_at = 0

    def _press(self) -> None:
        """Kill the children that are still there when the grace is over."""
        if self._stop_at is not None and time.monotonic() > self._stop_at:
            for child in self.children:
                if child.process:
                    kill_group(child.process.pid)

    def _start(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.process is None and now >= child.restart_at:
                self._try(child)

    def _try(self, child: Child) -> None:
        """Start a child; with no process or memory left for it, try again after its pause."""
        try:
            child.start(self.folder)
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
                if child.process and child.process.pid == pid:
                    self._end(child, os.waitstatus_to_exitcode(status))

    def _end(self, child: Child, status: int) -> None:
        assert child.process is not None
        child.process.returncode = status
        kill_group(child.process.pid)
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
        own = {child.process.pid for child in self.children if child.process}
        for process in below or _below():
            if process.parent == os.getpid() and process.pid not in own and process.state != "Z":
                kill_group(process.pid)
                _kill(process.pid)

    def _greet(self) -> None:
        """Call `on_ready` once, as soon as the web server answers."""
        if not self._ready and answers(self.address):
            self._ready = True
            self.on_ready()


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
