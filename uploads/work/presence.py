"""Which worker processes live on this host: named by host, boot, pid and start time.

A bare pid is never trusted: pids are given again. Each worker has an empty
file in the run folder; the sweep process alone turns these into `Worker` rows,
so an idle worker asks the database nothing.
"""

import os
import platform
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import django
from django.utils import timezone

from uploads.bell import run_folder
from uploads.models import Step, Worker
from uploads.states import StepState
from uploads.work import kinship
from uploads.work.clock import WallClock
from uploads.work.memory import memory_bytes

PREFIX = "worker"
RENEW_SECONDS = 10.0


@dataclass(frozen=True)
class LocalWorker:
    """One live worker process of this host."""

    lane: str
    pid: int
    start_time: str

    @property
    def rss_bytes(self) -> int:
        """Return its resident memory, 0 where the kernel does not tell."""
        process = kinship.look(self.pid)
        return process.rss_bytes if process else 0

    @property
    def owner(self) -> str:
        return f"{local_prefix()}{self.pid}:{self.start_time}"


@cache
def _here() -> str:
    """Return host, boot and pid namespace: within these a pid and start time are unique."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return f"{socket.gethostname()}:-"
    return f"{socket.gethostname()}:{boot}.{space}"


def me() -> str:
    """Return this process's name as the owner of leases: `host:boot:pid:start time`."""
    return _named(os.getpid())


@cache
def _named(pid: int) -> str:
    # A fork has another pid, so it is asked anew there.
    return f"{local_prefix()}{pid}:{start_time(pid)}"


def start_time(pid: int) -> str | None:
    """Return the kernel's start time of a live process, or None; a zombie is not alive."""
    process = kinship.look(pid)
    if process is not None:
        return None if process.state in "ZX" else process.start_time
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    return "0"


def local_prefix() -> str:
    """Return how the owners begin that can be judged here; the others' leases have to expire."""
    return f"{_here()}:"


def pid_of(owner: str) -> int:
    """Return the pid in a lease owner's name."""
    return int(owner.rsplit(":", 2)[1])


def alive(owner: str) -> bool:
    """Tell whether a lease owner of this host, boot and pid namespace still lives."""
    return start_time(pid_of(owner)) == owner.rpartition(":")[2]


def announce(pid: int, lane: str) -> None:
    """Note that `pid` is a worker of a lane; called by the process that forked it."""
    if started := start_time(pid):
        (run_folder() / f"{PREFIX}-{lane}-{pid}-{started}").touch()


def local_workers() -> list[LocalWorker]:
    """Return the live workers of this host and data folder; forgets the dead ones."""
    found = []
    for path in run_folder().glob(f"{PREFIX}-*-*-*"):
        _, lane, pid, started = path.name.rsplit("-", 3)
        if start_time(int(pid)) != started:
            path.unlink(missing_ok=True)
            continue
        found.append(LocalWorker(lane, int(pid), started))
    return found


@cache
def _versions() -> dict[str, str]:
    names = ("tidemill", "django-q2", "av", "pyvips")
    found = {"python": platform.python_version(), "django": django.get_version()}
    for name in names:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:
            continue
    return found


class Register:
    """Keeps this host's `Worker` rows: written when a worker came or went, and now and then."""

    def __init__(self) -> None:
        self._written: set[str] = set()
        self._written_at = float("-inf")
        self._clock = WallClock()

    def renew(self) -> int:
        """Write the rows when it is time; returns how many workers came or went."""
        alive = {worker.owner: worker for worker in local_workers()}
        changed = self._written ^ alive.keys()
        due = time.monotonic() - self._written_at >= RENEW_SECONDS
        # A jump makes every row look old, or new for too long.
        if self._clock.jump() or changed or due:
            write(list(alive.values()))
            for worker in alive.values():
                announce(
                    worker.pid, worker.lane
                )  # else a cleaner of /tmp may take its file for old
            if changed:
                forget_others()
            self._written, self._written_at = set(alive), time.monotonic()
        return len(changed)


def write(alive: Sequence[LocalWorker]) -> None:
    """Renew the rows of these workers; one statement."""
    host, now, budget = socket.gethostname(), timezone.now(), memory_bytes()
    owners = [worker.owner for worker in alive]
    running = Step.objects.filter(state=StepState.RUNNING, lease_owner__in=owners)
    steps = dict(running.values_list("lease_owner", "id"))
    rows = [
        Worker(
            host=host,
            pid=worker.pid,
            start_time=worker.start_time,
            lane=worker.lane,
            step_id=steps.get(worker.owner),
            last_seen_at=now,
            budget_bytes=budget,
            rss_bytes=worker.rss_bytes,
            versions=_versions(),
        )
        for worker in alive
    ]
    Worker.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["host", "pid", "start_time"],
        update_fields=["lane", "step", "last_seen_at", "budget_bytes", "rss_bytes", "versions"],
    )


def forget_others() -> None:
    """Delete the rows of this host's workers that live no more."""
    for row in Worker.objects.filter(host=socket.gethostname()):
        if start_time(row.pid) != row.start_time:
            row.delete()
