"""A storm's course: rounds of blows over a busy server, then calm, then the verdict."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from django.test import override_settings

from tests.soak import effects
from tests.soak.crowd import Crowd, Uploader
from tests.soak.effects import Effect
from tests.soak.mailbox import Mailbox
from tests.soak.orders import Desk, Order
from tests.soak.strikes import BusyWorkers, Operator, Storm, Strike
from tests.soak.timing import Timing, table
from tests.soak.verdict import doubled, history, judge, strays
from tests.support.server import Server, wait_until
from uploads.models import Job

LEASE_SECONDS = 8  # short, so that a stop outlasts it now and then
STUCK_SECONDS = 120
LATE_IDS = 300
READ_SECONDS = 0.2
VICTIM_SECONDS = 10
PAUSES = (1.5, 3.0)


@dataclass
class Course:
    """One storm on one server; `say` prints a line at once."""

    server: Server
    seed: int
    say: Callable[[str], None]
    mailbox: Mailbox
    open_jobs: int
    log: list[Effect] = field(default_factory=list)
    busy: BusyWorkers = field(default_factory=BusyWorkers)
    _seen: set[int] = field(default_factory=set)
    _highest: int = 0
    _read_at: float = 0

    def __post_init__(self) -> None:
        # One source of chance for each, so that threads do not change what another draws.
        self.desk = Desk(Random(f"{self.seed} desk"))
        self.crowd = Crowd(self.desk, Random(f"{self.seed} crowd"), self.open_jobs)
        self.uploader = Uploader(self.server.address, Random(f"{self.seed} uploader"))
        self.random = Random(f"{self.seed} storm")
        self.storm = Storm(self.server, self.random, self.busy)
        self.operator = Operator(self.server, Random(f"{self.seed} operator"))

    @property
    def orders(self) -> list[Order]:
        return [*self.desk.orders, *self.uploader.orders]

    def run(self, rounds: int) -> None:
        """Deal the blows, let everything end, stop, and judge; raises `AssertionError`."""
        self.crowd.start()
        self.uploader.start()
        for number in range(1, rounds + 1):
            struck = self._round()
            self.say(self._line(number, rounds, struck))
        self._calm()
        self._stop()
        self._judge()

    # --- rounds ------------------------------------------------------------------

    def _round(self) -> Strike | None:
        struck = self._strike()
        until = time.monotonic() + self.random.uniform(*PAUSES)
        self.crowd.probe()
        while time.monotonic() < until:
            self._tend()
            time.sleep(0.05)
        self._check_threads()
        assert not (twice := doubled(self.log)), "\n".join(twice)
        self._check_stuck()
        return struck

    def _strike(self) -> Strike | None:
        """Deal one blow; its kind stays as drawn while the victim has yet to be started."""
        blow = self.storm.draw()
        until = time.monotonic() + VICTIM_SECONDS
        while (struck := self.storm.strike(*blow)) is None and time.monotonic() < until:
            self._tend()
            time.sleep(0.05)
        return struck

    def _tend(self) -> None:
        self.storm.thaw()
        self.operator.look()
        if time.monotonic() - self._read_at > READ_SECONDS:
            self._read_at = time.monotonic()
            self._read()

    def _read(self) -> None:
        """Read what is new; PostgreSQL gives numbers before the commit, so some come late."""
        for effect in effects.read(self._highest - LATE_IDS):
            if effect.id in self._seen:
                continue
            self._seen.add(effect.id)
            self._highest = max(self._highest, effect.id)
            self.log.append(effect)
            if effect.step is not None and effect.lane:
                self.busy.saw(effect.what, effect.step, effect.lane, effect.owner)

    def _check_threads(self) -> None:
        for thread in (self.crowd, self.uploader):
            if thread.failure is not None:
                raise AssertionError(f"{type(thread).__name__} failed") from thread.failure

    def _check_stuck(self) -> None:
        """Complain of jobs about which the log has been silent for long."""
        heard: dict[int, float] = {}
        for effect in self.log[-20_000:]:
            heard[effect.job] = effect.at
        quiet = time.time() - STUCK_SECONDS
        for job in Job.objects.filter(settled_at=None, paused_at=None):
            last = max(heard.get(job.pk, 0), job.created_at.timestamp())
            assert last > quiet, f"STUCK for {STUCK_SECONDS} s: job {job.key}\n{self.told(job)}"

    def told(self, job: Job) -> str:
        """Return a job's rows and its lines of the log."""
        lines = [f"  {effect}" for effect in self.log if effect.job == job.pk]
        return "\n".join([history(job), *lines])

    def _line(self, number: int, rounds: int, struck: Strike | None) -> str:
        starts = sum(effect.what == "running" for effect in self.log)
        open_jobs = Job.objects.filter(settled_at=None).count()
        blow = struck or f"nothing, its victim was not there for {VICTIM_SECONDS} s"
        return (
            f"{number:>4}/{rounds}  {len(self.orders)} jobs, {open_jobs} open, {starts} starts, "
            f"{len(self.mailbox.letters)} letters, {self.uploader.cuts} cuts, "
            f"up {1 + self.operator.starts} ×: {blow}"
        )

    # --- calm --------------------------------------------------------------------

    def _calm(self) -> None:
        """No more blows: all that was ordered must end."""
        self.storm.thaw(everything=True)
        self.uploader.leave()
        self.crowd.closing.set()
        quiet_since, seen = time.monotonic(), 0
        while self.uploader.is_alive() or Job.objects.filter(settled_at=None).exists():
            self._tend()
            self._check_threads()
            if len(self.log) != seen:
                quiet_since, seen = time.monotonic(), len(self.log)
            if time.monotonic() - quiet_since > STUCK_SECONDS:
                stuck = Job.objects.filter(settled_at=None)
                raise AssertionError(
                    f"STUCK: nothing moves for {STUCK_SECONDS} s, {len(stuck)} jobs are open\n"
                    + "\n".join(self.told(job) for job in stuck)
                )
            time.sleep(0.1)
        time.sleep(0.5)  # the crowd looks once more whether something is to be retried
        if Job.objects.filter(settled_at=None).exists():
            self._calm()

    def _stop(self) -> None:
        self.crowd.leave()
        self.crowd.join(30)
        self._check_threads()
        # One that is still starting has no ear for the signal yet.
        wait_until(lambda: len(self.server.workers()) == 4, 60, "the workers at the end")
        assert self.server.stop(seconds=40) == 0
        assert self.server.processes() == []
        self.log = sorted(effects.read(), key=lambda effect: effect.at)

    def _judge(self) -> None:
        timing = Timing(self.log)
        faults = [*judge(self.orders, self.log, self.mailbox), *self.uploader.faults]
        said = {
            "jobs": len(self.orders),
            "steps": len({effect.step for effect in self.log if effect.what == "running"}),
            "rework (starts beyond the first)": timing.rework,
            "letters": len(self.mailbox.letters),
            "uploads resumed to the end": self.uploader.done,
            "stray files": len(strays()),
            **self.crowd.tally,
        }
        self.say(table(self.storm.strikes, timing))
        self.say(", ".join(f"{name}: {count}" for name, count in said.items()))
        self.say(f"lost, stuck or doubled: {len(faults)}")
        assert faults == [], "\n".join(faults)


def _keep(folder: Path) -> None:
    """Write the whole log and the history of every unsettled job beside the server's log."""
    lines = [str(effect) for effect in effects.read()]
    lines += [history(job) for job in Job.objects.filter(settled_at=None)]
    (folder / "effects.txt").write_text("\n".join(lines))


@contextmanager
def course(
    database_url: str, seed: int, say: Callable[[str], None], open_jobs: int = 8
) -> Iterator[Course]:
    """Return a storm on a fresh, ready server; on failure its data folder and logs are kept."""
    folder = Path(tempfile.mkdtemp(prefix="tidemill-storm-"))
    kind = "PostgreSQL" if database_url else "SQLite"
    mailbox = Mailbox(folder / "letters.txt")
    environment = {
        "TIDEMILL_LEASE_SECONDS": str(LEASE_SECONDS),
        "TIDEMILL_RENEW_SECONDS": str(LEASE_SECONDS / 4),
        "TIDEMILL_EMAIL_URL": mailbox.url,
        "TIDEMILL_LOG_LEVEL": "INFO",
    }
    server = Server(folder / "data", database_url, environment=environment)
    say(f"\nstorm on {kind}, seed {seed} (TIDEMILL_STORM_SEED), load {os.getloadavg()[0]:.1f}")
    mailbox.start()
    try:
        server.start()
        server.wait_ready()
        with server.rows(), override_settings(TIDEMILL_EMAIL_URL=mailbox.url):
            effects.install()
            try:
                yield Course(server, seed, say, mailbox, open_jobs)
            except BaseException:
                _keep(folder)
                raise
    except BaseException:
        say(f"FAILED: seed {seed}; data folder and log are kept in {folder}")
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        server.end()
        mailbox.stop()
