"""One engine's trial: the same blows for every engine by one seed, and what came of the tasks."""

import contextlib
import os
import signal
import statistics
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from benchmarks.kill.engine import Engine, Line

KINDS = ("idle worker", "busy worker", "manager", "everything")
TASKS_A_BLOW = 3
PATIENCE_SECONDS = 9.0  # longer than django-q2's `retry` and Celery's `visibility_timeout`
PATIENCE_STARTS = 2.0  # and longer than so many starts of the engine on this machine
QUIET_SECONDS = 0.5
SETTLE_SECONDS = 20.0
READY_SECONDS = 40.0
PROBES = 15
BURST = 100
PINGS = 100


@dataclass
class Figures:
    """What one trial has shown; seconds, but latency and ping, which are milliseconds."""

    engine: str
    kills: int = 0
    tasks: int = 0
    lost: int = 0
    doubled: int = 0
    standstills: int = 0
    rework: int = 0
    waits: list[float] = field(default_factory=list)
    waits_by_kind: dict[str, list[float]] = field(default_factory=dict)
    standstills_by_kind: dict[str, int] = field(default_factory=dict)
    latency_p50: float = 0
    latency_p99: float = 0
    throughput: float = 0
    ping_quiet_p99: float = 0
    ping_busy_p99: float = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Trial:
    """Runs one engine through the schedule; `say` prints a line at once."""

    def __init__(self, engine: Engine, kills: int, seed: int, say: Callable[[str], None]) -> None:
        self.engine = engine
        self.kills = kills
        self.say = say
        self.kinds = Random(f"{seed} kinds")
        self.chance = Random(f"{seed} victims")
        self.figures = Figures(engine.name, kills)
        self.patience = PATIENCE_SECONDS
        self._next = 0

    def run(self) -> Figures:
        """Measure at rest, deal the blows, let the rest end, count."""
        self.engine.prepare()
        try:
            self.engine.start()
            self._wait_ready()
            self._measure_at_rest()
            first = self._next
            for number in range(1, self.kills + 1):
                self._blow(number, self.kinds.choice(KINDS))
            self._settle(first)
            self._count(first)
        finally:
            self.engine.close()
        return self.figures

    # --- at rest ---------------------------------------------------------------

    def _wait_ready(self) -> None:
        """Wait until a first task is done and all workers are there."""
        began = time.monotonic()
        [number] = self._submit(1, 0.01)
        self._wait(lambda: number in _numbers(self.engine.effects()), READY_SECONDS)
        self._wait(lambda: len(self.engine.worker_pids()) >= self.engine.workers, READY_SECONDS)
        self.patience = max(PATIENCE_SECONDS, PATIENCE_STARTS * (time.monotonic() - began))

    def _measure_at_rest(self) -> None:
        waits = []
        for _ in range(PROBES):
            asked = time.time()
            [number] = self._submit(1, 0.0)
            self._wait(lambda n=number: n in _numbers(self.engine.effects()), 10)  # type: ignore[misc]
            started = [line.at for line in self.engine.starts() if line.number == number]
            waits += [1000 * (min(started) - asked)] if started else []
            time.sleep(self.chance.uniform(0.02, 0.15))
        self.figures.latency_p50 = statistics.median(waits)
        self.figures.latency_p99 = max(waits)
        self.figures.throughput = self.engine.burst(self._next, BURST)
        self._next += BURST
        if address := self.engine.ping_address():
            self.figures.ping_quiet_p99 = _ping(address)
            self._submit(2 * self.engine.workers, -6.0)
            time.sleep(1)
            self.figures.ping_busy_p99 = _ping(address)
            self._wait(lambda: len(_numbers(self.engine.effects())) >= self._next - BURST, 40)

    # --- blows -------------------------------------------------------------------

    def _blow(self, number: int, kind: str) -> None:
        self._wait(lambda: len(self.engine.worker_pids()) >= self.engine.workers, self.patience)
        if kind == "idle worker":
            self._wait_quiet()
        else:
            self._wait_started(self._submit(TASKS_A_BLOW - 1, self._seconds()), kind)
        victims = self._victims(kind)
        at = time.time()
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        # So that something waits to be started even where the rest has just been lost.
        self._submit(TASKS_A_BLOW if kind == "idle worker" else 1, self._seconds())
        wait = self._next_start(at)
        if wait is None:
            self._stand_still(kind)
        self.figures.waits.append(float("inf") if wait is None else wait)
        self.figures.waits_by_kind.setdefault(kind, []).append(self.figures.waits[-1])
        if number % 10 == 0:
            done = len(_numbers(self.engine.effects()))
            self.say(f"  {number:>3}/{self.kills} kills, {done} of {self._next} tasks done")
        self._pass(self.chance.uniform(0.1, 0.5))

    def _submit(self, count: int, seconds: float) -> list[int]:
        numbers = list(range(self._next, self._next + count))
        self._next += count
        self.engine.submit(numbers, seconds)
        return numbers

    def _seconds(self) -> float:
        return round(self.chance.uniform(0.3, 0.5), 2)

    def _victims(self, kind: str) -> list[int]:
        workers, managers = self.engine.worker_pids(), self.engine.manager_pids()
        if kind == "everything":
            return self.engine.processes()
        if kind == "manager":
            return [self.chance.choice(managers)] if managers else []
        busy = self._busy()
        fit = [pid for pid in workers if (pid in busy) == (kind == "busy worker")]
        return [self.chance.choice(fit or workers)] if workers else []

    def _busy(self) -> set[int]:
        done = _numbers(self.engine.effects())
        return {line.pid for line in self.engine.starts() if line.number not in done}

    def _next_start(self, at: float) -> float | None:
        """Return the seconds until a task starts that had not been started by this process then."""
        found: list[float] = []

        def seen() -> bool:
            found[:] = [line.at for line in self.engine.starts() if line.at > at]
            return bool(found)

        return min(found) - at if self._wait(seen, self.patience) else None

    def _wait_started(self, numbers: Sequence[int], kind: str) -> None:
        def started() -> bool:
            return bool(set(numbers) & _numbers(self.engine.starts()))

        if not self._wait(started, self.patience):
            self._stand_still(f"before {kind}")
            self._wait(started, self.patience)

    def _stand_still(self, kind: str) -> None:
        """Nothing starts although tasks wait: count it and do what a person would do."""
        self.figures.standstills += 1
        counts = self.figures.standstills_by_kind
        counts[kind] = counts.get(kind, 0) + 1
        self.engine.restart_by_hand()

    def _wait_quiet(self) -> None:
        """Wait until nothing has been started or done for a moment."""
        until, seen, since = time.monotonic() + 4, -1, time.monotonic()
        while time.monotonic() < until and time.monotonic() - since < QUIET_SECONDS:
            count = len(self.engine.starts()) + len(self.engine.effects())
            if count != seen:
                seen, since = count, time.monotonic()
            self._pass(0.05)

    # --- the end -----------------------------------------------------------------

    def _settle(self, first: int) -> None:
        """Wait until all is done or nothing moves; then restart once by hand and wait again."""
        wanted = set(range(first, self._next))
        for hand in (False, True):
            if hand:
                self.engine.restart_by_hand()
            moved = True
            while moved:
                before = wanted & _numbers(self.engine.effects())
                moved = before != wanted and self._wait(
                    lambda b=before: wanted & _numbers(self.engine.effects()) != b,  # type: ignore[misc]
                    max(SETTLE_SECONDS, 2 * self.patience),
                )

    def _count(self, first: int) -> None:
        effects = Counter(line.number for line in self.engine.effects() if line.number >= first)
        starts = Counter(line.number for line in self.engine.starts() if line.number >= first)
        wanted = range(first, self._next)
        self.figures.tasks = len(wanted)
        lost = [number for number in wanted if effects[number] == 0]
        for number in lost[:10]:
            self.say(f"  lost: task {number}, {self.engine.fate(number)}")
        self.figures.lost = len(lost)
        self.figures.doubled = sum(count > 1 for count in effects.values())
        self.figures.rework = sum(max(0, count - 1) for count in starts.values())

    def _pass(self, seconds: float) -> None:
        self._wait(lambda: False, seconds)

    def _wait(self, condition: Callable[[], object], seconds: float) -> bool:
        """Wait for a condition, restarting what has ended; tell whether it came."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                return False
            self.engine.tend()
            time.sleep(0.01)
        return True


def _numbers(lines: Sequence[Line]) -> set[int]:
    return {line.number for line in lines}


def _ping(address: str) -> float:
    """Return the 99th percentile of some requests in a row, in milliseconds."""
    waits = []
    for _ in range(PINGS):
        began = time.perf_counter()
        urllib.request.urlopen(address, timeout=20).close()
        waits.append(1000 * (time.perf_counter() - began))
        time.sleep(0.02)
    return sorted(waits)[-2]
