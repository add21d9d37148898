"""Tidemill itself: `manage.py up` with its web server, sweeps and two workers of each lane.

A task here is a job of one uploaded text file whose operation works for the same time. It
is planned, runs in a sandboxed process of its own and counts as done when its result row
is committed; the log of both is kept by database triggers, which no killed process can
tear. So a task costs more here than the peers' bare function call, and the figures of
latency and throughput contain that.
"""

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.environment import isolate

OPERATIONS = Path(__file__).parent / "operations"  # as a package of operations would bring it

isolate()  # before anything reads the settings
sys.path.append(str(OPERATIONS))

import django  # noqa: E402

django.setup()

from benchmarks.kill.engine import Engine, Line  # noqa: E402
from tests.soak import effects as log  # noqa: E402
from tests.soak.orders import arrived, person  # noqa: E402
from tests.support.server import Server  # noqa: E402
from uploads.models import Job  # noqa: E402
from uploads.work.submit import JobRequest, StageRequest, submit  # noqa: E402

MANAGERS = ("up", "web", "sweep", "main", "sentinel", "pusher", "monitor")


class Tidemill(Engine):
    """One server on SQLite; the harness submits in its own process, as the web server does."""

    name = "Tidemill"
    note = "SQLite (synchronous=FULL), 2 workers, its web server and sweeps beside them."

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        settings = {
            "TIDEMILL_LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(OPERATIONS),
            "TIDEMILL_OPERATIONS_PATH": str(OPERATIONS),
        }
        self.server = Server(folder / "data", environment=settings)
        self._rows = contextlib.ExitStack()
        self._log: list[log.Effect] = []
        self._numbers: dict[int, int] = {}

    def prepare(self) -> None:
        self.server.start()
        self.server.wait_ready()
        self._rows.enter_context(self.server.rows())
        log.install()
        self.kill_all()

    def start(self) -> None:
        self.server.start()

    def ended(self) -> bool:
        return self.server.process is None or self.server.process.poll() is not None

    def processes(self) -> list[int]:
        return [process.pid for process in self.server.processes()]

    def worker_pids(self) -> list[int]:
        return self.server.workers("cpu")

    def manager_pids(self) -> list[int]:
        found = []
        for role in MANAGERS:
            with contextlib.suppress(LookupError, ValueError, StopIteration):
                found.append(self.server.role(role))
        return found

    def submit(self, numbers: Sequence[int], seconds: float) -> None:
        owner = person("bench")
        for number in numbers:
            key = arrived(owner, f"{number}.txt", b"task", "text/plain")
            stage = StageRequest("kill.work", {"seconds": abs(seconds), "burn": seconds < 0})
            self._numbers[submit(owner, JobRequest([stage], [key], anew=True)).pk] = number

    def burst(self, first: int, count: int) -> float:
        """Submit one job with so many files: the engine makes steps of several files each."""
        owner = person("bench")
        keys = [arrived(owner, f"{n}.txt", b"task", "text/plain") for n in range(count)]
        began = time.time()
        job = submit(owner, JobRequest([StageRequest("kill.work")], keys, anew=True))
        while not Job.objects.filter(pk=job.pk).exclude(finished_at=None).exists():
            time.sleep(0.02)
        return count / (time.time() - began)

    def starts(self) -> list[Line]:
        return [
            Line(self._numbers[e.job], e.at, int(e.owner.rsplit(":", 2)[1]))
            for e in self._read()
            if e.what == "running" and e.kind == "work" and e.job in self._numbers
        ]

    def effects(self) -> list[Line]:
        return [
            Line(self._numbers[e.job], e.at)
            for e in self._read()
            if e.what == "result" and e.job in self._numbers
        ]

    def fate(self, number: int) -> str:
        key = next(key for key, one in self._numbers.items() if one == number)
        job = Job.objects.get(pk=key)
        return f"{job.state}: {' '.join(item.error_text for item in job.items.all())}"

    def _read(self) -> list[log.Effect]:
        self._log += log.read(self._log[-1].id if self._log else 0)
        return self._log

    def ping_address(self) -> str:
        return f"{self.server.address}/login/"

    def close(self) -> None:
        self._rows.close()
        self.server.end()
