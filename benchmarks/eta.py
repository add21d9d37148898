"""Is the time left right? Replays recorded jobs through the forecast that the pages use.

`python -m benchmarks eta` prints how often the range held the truth at 10, 25 and 50 % of each
job's time, how wide it was, and the worst jump between two updates. Its error is calibrated anew
on four fifths of the sessions and judged on the rest, five times over (`tested`), beside the
constants in use (`in use`). `--record N [KIND …]` records until there are N jobs, `--calibrate` prints
the constants for `uploads/likely.py`.
"""

import itertools
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uploads.forecast import START_SECONDS, Busy, Load, foresee
from uploads.likely import CALIBRATED, Calibration, error, time_range

RECORDED = Path(__file__).parent / "data" / "eta.jsonl"
MARKS = (0.1, 0.25, 0.5)
FOLDS = 5
SHARE = 0.8
NOISE = 1.01
# What ends sooner needs no time left; pages say "a few seconds" below the second figure.
SHORTEST_SECONDS, FEW_SECONDS = 4.0, 5.0


@dataclass(frozen=True)
class Recorded:
    """One job of a recorded session; times are seconds since the session began."""

    session: dict[str, Any]
    place: int

    @property
    def job(self) -> dict[str, Any]:
        job: dict[str, Any] = self.session["jobs"][self.place]
        return job

    @property
    def kind(self) -> str:
        return str(self.job["kind"])

    @property
    def begins(self) -> float:
        return float(min(step[4] for step in self.job["steps"]))

    @property
    def ends(self) -> float:
        return float(self.job["finished"])

    @property
    def planned(self) -> float:
        return float(max(step[5] for step in self.job["steps"] if step[0] == "plan"))

    def loads(self, now: float) -> dict[int, Load]:
        """Return what the rows of all jobs of the session said at a moment."""
        jobs = enumerate(self.session["jobs"])
        return {
            place: load_of(job, now)
            for place, job in jobs
            if job["submitted"] <= now < job["finished"]
        }

    def foresee(self, now: float) -> tuple[Load, float]:
        """Return the job's own sums and the seconds left that the forecast says."""
        loads = self.loads(now)
        return loads[self.place], foresee(loads, self.session["workers"])[self.place].ends

    def updates(self) -> Iterator[float]:
        """Return the moments at which a page hears news: steps' news, claims and ends."""
        moments = {step[4] for step in self.job["steps"]} | {step[5] for step in self.job["steps"]}
        moments |= {at for step in self.job["steps"] for at, _ in step[6]}
        moments |= {self.begins + second for second in range(int(self.ends - self.begins))}
        return (at for at in sorted(moments) if self.planned <= at < self.ends)


def load_of(job: dict[str, Any], now: float) -> Load:
    """Return what one job's rows said at a moment, as `models.loads` sums them."""
    sums: dict[str, Any] = {"running": []}
    for kind, _, weight, created, started, finished, told in job["steps"]:
        if kind == "plan" or created > now:
            continue
        raw, weight = weight, weight + START_SECONDS
        if finished <= now:
            if kind == "work":
                took = finished - started
                more = {"ended": 1, "ended_weight": weight, "ended_seconds": took}
                more["ended_squares"] = took * took / weight
            else:
                more = {}
        elif started <= now:
            at, share = max(((at, p) for at, p in told if at <= now), default=(started, 0.0))
            facts = {"seconds": at - started, "silent_seconds": now - at, "is_join": kind == "join"}
            sums["running"].append(Busy.told(raw, share, **facts))
            more = {}
        elif kind == "join":
            more = {"joins": 1, "joins_weight": weight}
        else:
            more = {"ready": 1, "ready_weight": weight}
        for name, value in more.items():
            sums[name] = sums.get(name, 0) + value
    served = max((step[4] for step in job["steps"] if step[4] <= now), default=0.0)
    planning = any(step[0] == "plan" and step[5] > now for step in job["steps"])
    owner = 0 if job["owner"] == "bench" else 1
    unplanned = job["guess"] if planning else 0.0
    age = now - job["submitted"]
    return Load(owner=owner, served_at=served, age_seconds=age, unplanned=unplanned, **sums)


def read(path: Path = RECORDED) -> list[Recorded]:
    """Return every recorded job that took long enough to ask about."""
    sessions = [json.loads(line) for line in path.read_text().splitlines()]
    jobs = [Recorded(s, place) for s in sessions for place in range(len(s["jobs"]))]
    return [job for job in jobs if job.ends - job.begins >= SHORTEST_SECONDS]


@dataclass(frozen=True)
class Reading:
    """The forecast of one job at one moment, and what was true."""

    job: Recorded
    mark: float
    load: Load
    said: float
    true: float
    company: str

    def log_error(self) -> float:
        return math.log(self.true / max(0.1, self.said))


def readings(jobs: Sequence[Recorded]) -> list[Reading]:
    """Return the readings of jobs at their marks, left out while nothing is measured."""
    found = []
    for job in jobs:
        for mark in MARKS:
            now = job.begins + mark * (job.ends - job.begins)
            if now < job.planned:
                continue
            load, said = job.foresee(now)
            others = [o for place, o in enumerate(job.session["jobs"]) if place != job.place]
            company = "alone"
            if any(o["submitted"] <= now < o["finished"] for o in others):
                company = "beside another"
            elif any(now < o["submitted"] < job.ends for o in others):
                company = "before another came"
            if load.evidence > 0:
                found.append(Reading(job, mark, load, said, job.ends - now, company))
    return found


def calibrate(found: Sequence[Reading]) -> Calibration:
    """Return the constants with the best interval score (Gneiting and Raftery, 2007) in logarithms.

    It rewards narrow ranges and punishes each miss by how far it is off. Scores a hundredth
    apart are chance: of these the narrowest is taken.
    """
    errors = [reading.log_error() for reading in found]
    tried: list[tuple[float, float, Calibration]] = []
    for floor, bend, usual, trust in itertools.product(
        (0.03, 0.06, 0.1, 0.2), (0.0, 0.1, 0.25, 0.5), (0.05, 0.1, 0.25, 0.5), (1.0, 3.0, 8.0)
    ):
        by = Calibration(floor, bend, usual, trust, 0.0, 0.0)
        off = [error(reading.load, by) for reading in found]
        low, high = shortest([e / size for e, size in zip(errors, off, strict=True)])
        score = statistics.mean(
            min(3.0, (high - low) * size)
            + 2 / (1 - SHARE) * max(0.0, low * size - e, e - high * size)
            for e, size in zip(errors, off, strict=True)
        )
        width = (high - low) * statistics.median(off)
        made = Calibration(floor, bend, usual, trust, round(low, 3), round(high, 3))
        tried.append((score, width, made))
    best = min(tried, key=lambda one: one[0])[0]
    return min((one for one in tried if one[0] <= best * NOISE), key=lambda one: one[1])[2]


def shortest(values: Sequence[float]) -> tuple[float, float]:
    """Return the shortest interval that holds 80 % of the values."""
    ordered = sorted(values)
    held = math.ceil(SHARE * len(ordered))
    starts = range(len(ordered) - held + 1)
    start = min(starts, key=lambda at: ordered[at + held - 1] - ordered[at])
    return ordered[start], ordered[start + held - 1]


@dataclass
class Judged:
    """Readings with the range that was shown for each, None where none was."""

    rows: list[tuple[Reading, tuple[float, float] | None]]

    def line(self, name: str) -> str:
        shown = [(r, told) for r, told in self.rows if told is not None]
        if not shown:
            return f"  {name:24} {len(self.rows):5} readings, none shown"
        held = sum(low <= r.true <= high for r, (low, high) in shown) / len(shown)
        width = statistics.median((high - low) / r.true for r, (low, high) in shown)
        silent = 1 - len(shown) / len(self.rows)
        return (
            f"  {name:24} {len(self.rows):5} readings, {100 * silent:3.0f} % not shown yet, "
            f"truth held {100 * held:3.0f} %, median width {100 * width:3.0f} % of the rest"
        )

    def only(self, **wanted: Any) -> "Judged":
        def fits(reading: Reading) -> bool:
            facts = {"kind": reading.job.kind, "mark": reading.mark, "company": reading.company}
            return all(facts[name] == value for name, value in wanted.items())

        return Judged([row for row in self.rows if fits(row[0])])


def judge(found: Sequence[Reading], by: Calibration) -> Judged:
    return Judged([(reading, time_range(reading.load, reading.said, by)) for reading in found])


def tested(found: Sequence[Reading]) -> Judged:
    """Judge each fifth of the sessions by constants found on the other four."""
    keys = {id(reading.job.session): None for reading in found}
    fold = {key: number % FOLDS for number, key in enumerate(keys)}
    rows: list[tuple[Reading, tuple[float, float] | None]] = []
    for number in range(FOLDS):
        apart = [r for r in found if fold[id(r.job.session)] == number]
        rest = [r for r in found if fold[id(r.job.session)] != number]
        rows += judge(apart, calibrate(rest)).rows
    return Judged(rows)


def worst_jump(jobs: Sequence[Recorded]) -> tuple[float, float]:
    """Return the largest factor between two shown updates, and the share above 3.

    The middle of the range is compared with the one before less the time that has passed;
    what pages call "a few seconds" is all the same.
    """
    factors = [1.0]
    for job in jobs:
        before: tuple[float, float] | None = None
        for now in job.updates():
            load, said = job.foresee(now)
            told = time_range(load, said)
            if told is None:
                continue
            middle = max(FEW_SECONDS, sum(told) / 2)
            if before is not None:
                expected = max(FEW_SECONDS, before[1] - (now - before[0]))
                factors.append(max(middle / expected, expected / middle))
            before = now, sum(told) / 2
    return max(factors), sum(factor > 3 for factor in factors) / len(factors)


def report(jobs: Sequence[Recorded]) -> dict[str, float]:
    """Print all figures."""
    sessions = {id(job.session): job.session for job in jobs}.values()
    loads = [float(session["load"]) for session in sessions]
    print(
        f"{len(jobs)} recorded jobs of {SHORTEST_SECONDS:.0f} s and more, median "
        f"{statistics.median(job.ends - job.begins for job in jobs):.0f} s, "
        f"machine's load while recording: median {statistics.median(loads):.1f}"
    )
    found = readings(jobs)
    fair = tested(found)
    print(fair.line("tested"))
    for kind in sorted({job.kind for job in jobs}):
        print(fair.only(kind=kind).line(f"  {kind}"))
    for mark in MARKS:
        print(fair.only(mark=mark).line(f"  at {100 * mark:.0f} %"))
    for company in ("alone", "before another came", "beside another"):
        print(fair.only(company=company).line(f"  {company}"))
    print(judge(found, CALIBRATED).line("in use"))
    jump, share = worst_jump(jobs)
    print(f"  worst jump between two updates: {jump:.1f} ×; above 3 ×: {100 * share:.2f} %")
    return {"worst_jump": jump}


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["--record"]:
        from benchmarks.eta_record import record_all

        record_all(RECORDED, int(arguments[1]), arguments[2:])
    jobs = read()
    if arguments[:1] == ["--calibrate"]:
        print(f"CALIBRATED = {calibrate(readings(jobs))!r}")
    report(jobs)


if __name__ == "__main__":
    main(sys.argv[1:])
