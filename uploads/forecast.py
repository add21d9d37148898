"""How long jobs still take: plays the claims forward from sums of rows; reads no rows, keeps nothing.

A step's rest follows from its weight (estimated seconds), the pace so far (real seconds for each
estimated one) and its own progress. With these the claims are played as workers will make them,
competing jobs included. What the play can't know is in the range around its answer, see
`uploads/likely.py`.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

# The play stays short: from here on several steps are taken as one.
PLAYED_STEPS = 256
# What starting a step takes beside its weight, in estimated seconds; measured on encodes.
START_SECONDS = 0.1
# The estimate of a job's pace counts as this many measured steps.
DOUBT = 0.03
# What has been silent for longer than it should still take takes this share of both once more.
OVERDUE = 0.25


# A job that has just arrived moves the others' ends this far at once, and the rest within seconds,
# so that what people see never jumps.
ARRIVAL_FACTOR, ARRIVAL_SECONDS = 2.5, 15.0


@dataclass(frozen=True)
class Busy:
    """A running step: its weight, and `seconds` from its start to the last news, `progress` 0…1.

    `silent_seconds` have passed since. Its start counts in both, see `told`.
    """

    weight: float
    progress: float = 0.0
    seconds: float = 0.0
    silent_seconds: float = 0.0
    is_join: bool = False

    @property
    def done(self) -> float:
        """Return the weight that is done."""
        return self.weight * self.progress

    @property
    def told_seconds(self) -> float:
        """Return the seconds that its progress took, none before the first news."""
        return self.seconds if self.progress > 0 else 0.0

    @classmethod
    def told(cls, weight: float, progress: float, **facts: Any) -> "Busy":
        """Return a step of so much work; who tells of it has started."""
        whole = weight + START_SECONDS
        done = (START_SECONDS + progress * weight) / whole if progress > 0 else 0.0
        return cls(whole, done, **facts)

    def rest(self, pace: float) -> float:
        """Return the seconds that it still takes.

        Its own pace counts as much as it has done: early news tell more of its start.
        """
        left = 1 - self.progress
        # left × weight × (progress × own pace + left × the job's), without a division by progress
        rest = left * (self.told_seconds + left * self.weight * pace)
        return max(rest - self.silent_seconds, OVERDUE * (rest + self.silent_seconds))


@dataclass(frozen=True)
class Load:
    """What one job's rows say: sums of its ended and waiting steps, and each running one.

    Weights are estimated seconds of one worker with `START_SECONDS` for each step;
    `ended_squares` sums seconds² / weight of ended steps; `joins` wait for parts; `unplanned` is the weight of items that no step
    carries yet. Owners share fairly; of one owner's jobs the one served longest ago goes on.
    `age_seconds` have passed since the job was submitted.
    """

    owner: int = 0
    priority: int = 0
    max_inflight: int = 0
    served_at: float = 0.0
    age_seconds: float = math.inf
    ended: int = 0
    ended_weight: float = 0.0
    ended_seconds: float = 0.0
    ended_squares: float = 0.0
    ready: int = 0
    ready_weight: float = 0.0
    joins: int = 0
    joins_weight: float = 0.0
    unplanned: float = 0.0
    running: Sequence[Busy] = ()

    @cached_property
    def works(self) -> list[Busy]:
        """Return the running steps but for joins, whose pace is another."""
        return [step for step in self.running if not step.is_join]

    @property
    def evidence(self) -> float:
        """Return how many steps have been measured, shares of running ones included."""
        return self.ended + sum(step.progress for step in self.works)

    @property
    def ahead(self) -> float:
        """Return how many steps are still to come, shares of running ones included."""
        return self.ready + sum(1 - step.progress for step in self.works)

    @property
    def at_work(self) -> float:
        """Return the share of the job's work that is in steps running now."""
        running = sum(step.weight for step in self.works)
        whole = self.ended_weight + self.ready_weight + self.unplanned + running
        return running / whole if whole > 0 else 0.0

    @cached_property
    def pace(self) -> float:
        """Return what one estimated second really takes, by all work so far."""
        seconds = self.ended_seconds + sum(step.told_seconds for step in self.works)
        weight = self.ended_weight + sum(step.done for step in self.works)
        known = self.ended + len(self.works)
        typical = (self.ended_weight + sum(step.weight for step in self.works)) / max(1, known)
        doubt = DOUBT * typical
        return (seconds + doubt) / (weight + doubt) if weight + doubt > 0 else 1.0


@dataclass
class Course:
    """What the play says of one job: seconds until its first claim (0: works now) and its end."""

    starts: float | None = None
    ends: float = 0.0


@dataclass
class _Playing:
    load: Load
    served: float
    waiting: int
    step_seconds: float
    joins: int
    join_seconds: float
    running: int = 0
    course: Course = field(default_factory=Course)

    @property
    def claimable(self) -> bool:
        # A join is ready when its parts have ended: at the soonest when none of them waits.
        ready = self.waiting > 0 or (self.joins > 0 and self.running == 0)
        return ready and (self.load.max_inflight <= 0 or self.running < self.load.max_inflight)

    def claim(self) -> float:
        """Take the next step and return its seconds."""
        if self.waiting:
            self.waiting -= 1
            return self.step_seconds
        self.joins -= 1
        return self.join_seconds


def foresee(loads: Mapping[int, Load], workers: int) -> dict[int, Course]:
    """Return the course of each job, in which what has just arrived does not count in full yet."""
    courses = play(loads, workers)
    youngest = min((load.age_seconds for load in loads.values()), default=math.inf)
    older = {key: load for key, load in loads.items() if load.age_seconds > youngest}
    if youngest < ARRIVAL_SECONDS and older:
        most = ARRIVAL_FACTOR * math.exp(0.25 * youngest)
        for key, before in play(older, workers).items():
            courses[key].ends = min(courses[key].ends, most * before.ends)
    return courses


def play(loads: Mapping[int, Load], workers: int, unplanned_step: float = 3.0) -> dict[int, Course]:
    """Return the course of each job when `workers` claim as `StepQuerySet.claim` does.

    `unplanned_step` is the weight of a step that will be planned.
    """
    counts = {key: load.ready + load.unplanned / unplanned_step for key, load in loads.items()}
    merged = max(1.0, sum(counts.values()) / PLAYED_STEPS)
    jobs = {key: _begin(load, counts[key], merged) for key, load in loads.items()}
    busy: dict[int, int] = {}
    line: list[tuple[float, int]] = []
    for key, job in jobs.items():
        for step in job.load.running:
            _put(line, busy, job, step.rest(job.load.pace), key)
    now, turn = 0.0, max((job.served for job in jobs.values()), default=0.0)
    while True:
        while len(line) < workers and (chosen := _next(jobs, busy)) is not None:
            job, turn = jobs[chosen], turn + 1
            job.served = turn
            if job.course.starts is None:
                job.course.starts = now
            _put(line, busy, job, now + job.claim(), chosen)
        if not line:
            return {key: job.course for key, job in jobs.items()}
        now, key = heapq.heappop(line)
        job = jobs[key]
        job.running -= 1
        busy[job.load.owner] -= 1
        job.course.ends = now


def _begin(load: Load, count: float, merged: float) -> _Playing:
    weight = load.ready_weight + load.unplanned
    waiting = max(1, round(count / merged)) if weight > 0 else 0
    work = weight * load.pace
    join = load.joins_weight * load.pace / load.joins if load.joins else 0.0
    return _Playing(
        load,
        load.served_at,
        waiting,
        work / waiting if waiting else 0.0,
        load.joins,
        join,
        course=Course(starts=0.0 if load.running else None),
    )


def _put(
    line: list[tuple[float, int]], busy: dict[int, int], job: _Playing, at: float, key: int
) -> None:
    heapq.heappush(line, (at, key))
    job.running += 1
    busy[job.load.owner] = busy.get(job.load.owner, 0) + 1


def _next(jobs: Mapping[int, _Playing], busy: Mapping[int, int]) -> int | None:
    """Return the job that the next claim serves: priority, then the owner's share, then its turn."""
    ranks = [
        (-job.load.priority, busy.get(job.load.owner, 0), job.served, key)
        for key, job in jobs.items()
        if job.claimable
    ]
    return min(ranks)[3] if ranks else None
