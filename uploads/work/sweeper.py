"""The loop of the sweep process: when to run which sweep; knows nothing of what they repair."""

import logging
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from uploads import bell
from uploads.models import Step
from uploads.states import StepState
from uploads.work import presence
from uploads.work.clock import WallClock

logger = logging.getLogger("tidemill.sweep")

TICK_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 60.0
AWAKE_SECONDS: Final = 10.0  # longer than the pause of any sweep that mends work
LONGEST_PAUSE_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 15.0  # longer than the pause of the sweep that always writes


@dataclass(frozen=True)
class Sweep:
    """One idempotent repair; returns how many rows it mended.

    `every_seconds` is its least pause; while nothing moves, it runs each `quiet_seconds`.
    One that deletes `by_age` is held back for a day after the wall clock was set.
    A `patient` one judges workers by what they have written: after the database was away
    or full it gives them time to write again.
    """

    name: str
    function: Callable[[], int | None]
    every_seconds: float = TICK_SECONDS
    quiet_seconds: float = QUIET_SECONDS
    by_age: bool = False
    patient: bool = False


class Movement:
    """Tells cheaply whether something happened: a write by somebody else, a worker's birth or death.

    Writes are seen by the log file and data_version on SQLite and by the bell on PostgreSQL.
    """

    def __init__(self) -> None:
        self._workers: set[str] = set()
        self._version: int | None = None
        self._log: tuple[int, int] | None = None
        self._listeners: list[bell.Listener] = []

    def seen(self) -> bool:
        """Tell whether something has moved since the last call; the first call says yes."""
        before, self._workers = self._workers, {w.owner for w in presence.local_workers()}
        return self._written() or before != self._workers

    def _written(self) -> bool:
        if connection.vendor == "postgresql":
            if not self._listeners:
                self._listeners = [bell.Listener(topic) for topic in (bell.WORK, bell.JOB)]
                return True
            rung = [listener.take() for listener in self._listeners]
            return any(rung)
        before_log, self._log = self._log, _log_mark()
        if self._log is not None and before_log == self._log:
            return False  # nobody has written; an idle machine is asked nothing
        with connection.cursor() as cursor:
            # One integer of the shared-memory index; no table is read (sqlite.org/pragma.html).
            cursor.execute("PRAGMA data_version")
            before, self._version = self._version, cursor.fetchone()[0]
        return before != self._version

    def forgive(self) -> None:
        """Take what was written up to now as one's own: the sweeps have just looked at it all."""
        self._log = _log_mark() if self._log is not None else None

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners = []
        self._version = self._log = None


def _log_mark() -> tuple[int, int] | None:
    """Return size and time of SQLite's write-ahead log, or None when there is none."""
    try:
        status = Path(f"{connection.settings_dict['NAME']}-wal").stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@dataclass
class Sweeper:
    """Runs each sweep when it is due, seldom while nothing moves and no step runs."""

    sweeps: Sequence[Sweep]
    movement: Movement = field(default_factory=Movement)
    clock: WallClock = field(default_factory=WallClock)
    _last: dict[str, float] = field(default_factory=dict)
    _restless: bool = True
    _awake_until: float = 0
    _failures: int = 0
    _troubled_at: float = float("-inf")

    def run(self) -> None:
        """Sweep each second until SIGTERM or SIGINT."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            while not selector.select(self.tick()):
                continue
        self.movement.close()

    def tick(self) -> float:
        """Look once and sweep if there is reason to; return the seconds until the next look."""
        if jump := self.clock.jump():
            logger.warning(
                "The clock was set by %+.0f s; nothing is deleted by age for a day", jump
            )
        try:
            # A step runs: its lease or time limit may pass without a write by anybody.
            if self.movement.seen() or self._restless:
                self._awake_until = time.monotonic() + AWAKE_SECONDS
            quiet = time.monotonic() > self._awake_until
            if self._sweep(quiet=quiet) and quiet:
                self.movement.forgive()
            elif not quiet:
                self._restless = Step.objects.filter(state=StepState.RUNNING).exists()
        except (DatabaseError, InterfaceError, OSError) as error:
            self._failures += 1
            self._troubled_at = time.monotonic()
            logger.warning("The database or the run folder is away: %s", error)
            self._start_again()
            return float(min(LONGEST_PAUSE_SECONDS, TICK_SECONDS * 2**self._failures))
        self._failures = 0
        return TICK_SECONDS

    def _sweep(self, *, quiet: bool) -> bool:
        """Run every sweep that is due, True if any; one that fails stops none of the others."""
        now = time.monotonic()
        ran = False
        for sweep in self.sweeps:
            pause = max(sweep.every_seconds, sweep.quiet_seconds) if quiet else sweep.every_seconds
            if now - self._last.get(sweep.name, float("-inf")) < pause:
                continue
            if sweep.by_age and self.clock.doubtful:
                continue
            if sweep.patient and now - self._troubled_at < PATIENCE_SECONDS:
                continue
            ran = True
            self._last[sweep.name] = now
            try:
                mended = sweep.function()
            except (OperationalError, InterfaceError) as error:
                self._troubled_at = time.monotonic()
                connection.ensure_connection()  # away: raises again, and the loop backs off
                logger.warning("The sweep %s could not be done: %s", sweep.name, error)
            except Exception:
                logger.exception("The sweep %s failed", sweep.name)
            else:
                if mended:
                    logger.debug("%s: %d", sweep.name, mended)
        return ran

    def _start_again(self) -> None:
        self._restless = True
        self.movement.close()
        connection.close()
