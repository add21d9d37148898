"""Ways in which a database goes away and comes back."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgresql import PostgreSQL
from uploads.work import kinship


@contextmanager
def stopped(postgresql: PostgreSQL) -> Iterator[None]:
    """Stop every process of the server (SIGSTOP): it accepts nothing, answers nothing, closes nothing."""
    family = processes(postgresql)
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def shut(postgresql: PostgreSQL) -> Iterator[None]:
    """Cut every connection and end the server at once, as `pg_ctl stop -m immediate` does."""
    assert postgresql.process is not None
    postgresql.process.send_signal(signal.SIGQUIT)
    postgresql.process.wait(30)
    try:
        yield
    finally:
        postgresql.start()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold SQLite's write lock, as another process's long transaction does."""
    other = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def processes(postgresql: PostgreSQL) -> list[int]:
    """Return the server's pids, the first one's first."""
    assert postgresql.process is not None
    first = postgresql.process.pid
    return [first, *(p.pid for p in kinship.everyone() if p.parent == first)]


def committing(postgresql: PostgreSQL) -> int | None:
    """Return a backend that is inside a COMMIT right now, by its title."""
    for pid in processes(postgresql)[1:]:
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b" COMMIT" in title:
            return pid
    return None


class CommitKiller(threading.Thread):
    """Kills a backend inside its COMMIT (SIGKILL), so many times, with a pause between."""

    def __init__(self, postgresql: PostgreSQL, times: int, pause: float) -> None:
        super().__init__(daemon=True)
        self.postgresql = postgresql
        self.times = times
        self.pause = pause
        self.killed = 0
        self.over = threading.Event()

    def run(self) -> None:
        while self.killed < self.times and not self.over.is_set():
            pid = committing(self.postgresql)
            if pid is None:
                time.sleep(0.001)
                continue
            # Before the commit's record is flushed, or after: both have to be right.
            time.sleep(0.03 * (self.killed % 3))
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.killed += 1
            self.over.wait(self.pause)
