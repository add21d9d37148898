"""Sums of rows for the forecast: what each job, and those that compete with it, still have to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import (
    Case,
    Count,
    F,
    FloatField,
    Func,
    IntegerField,
    Max,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from uploads.conf import conf
from uploads.forecast import START_SECONDS, Busy, Load, foresee
from uploads.likely import time_range
from uploads.models.job import Job
from uploads.models.lane_limit import LARGEST, LaneLimit
from uploads.models.step import Step
from uploads.models.worker import Worker
from uploads.states import Lane, StepKind, StepState

# More jobs in play than these change an end that is far away anyway.
RIVALS = 50

NOTHING = Load()
OPEN = (StepState.PENDING, StepState.READY, StepState.RUNNING)


class SecondsBetween(Func):
    """The seconds from one moment to a later one, as a number; both databases can sum them."""

    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="((julianday(%(expressions)s)) * 86400.0)",
            arg_joiner=") - julianday(", **context,
        )  # fmt: skip

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="EXTRACT(EPOCH FROM (%(expressions)s))::float8",
            arg_joiner=" - ", **context,
        )  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One job's sums on one lane: its running steps with the weight they have done, a plan to come."""

    lane: str = Lane.CPU
    load: Load = NOTHING
    running: int = 0
    moved: float = 0.0
    planning: bool = False
    links: int = 1


class Crew(NamedTuple):
    """A lane's live workers, and how many of its steps may run at once."""

    live: int
    most: int = LARGEST


def live_workers(lane: str) -> Coalesce:
    """Return an expression for the number of live workers of a lane, asked once a query."""
    live = Worker.objects.live(lane).order_by().values("lane")
    counted = Subquery(live.annotate(count=Count("pk")).values("count"))
    return Coalesce(counted, 0, output_field=IntegerField())


def most_at_once(lane: str) -> Coalesce:
    """Return an expression for how many steps of a lane may run at once, asked once a query."""
    found = Subquery(LaneLimit.objects.filter(lane=lane).values("max_inflight"))
    return Coalesce(found, LARGEST, output_field=IntegerField())


def works_of(jobs: Sequence[Job]) -> dict[int, Work]:
    """Return the sums of these unfinished jobs and of up to 50 others next in line; one query.

    A job that has only its plan so far has a `Work` without a load.
    """
    wanted = [job.pk for job in jobs]
    steps = Step.objects.filter(Q(job__in=wanted) | Q(job__in=_rivals()))
    found: dict[int, Work] = {}
    now = timezone.now()
    for row in _grouped(steps):
        pk = row["job_id"]
        found[pk] = _added(found.get(pk) or _first(row, now), row, now)
    return {pk: _with_unplanned(work) for pk, work in found.items()}


def _rivals() -> Any:
    line = Job.objects.filter(settled_at=None, paused_at=None, cancel_requested_at=None)
    return line.order_by("-priority", "last_claimed_at", "id").values("pk")[:RIVALS]


def _grouped(steps: QuerySet[Step]) -> Iterable[Any]:
    """Return one row for each kind and state of a job's steps, and one for each running step."""
    telling = Q(state__in=OPEN) | Q(state=StepState.SUCCEEDED, kind=StepKind.WORK)
    took = SecondsBetween(F("finished_at"), F("started_at"))
    alone = Case(When(state=StepState.RUNNING, then=F("pk")), default=Value(0))
    return (
        steps.filter(telling)
        .exclude(kind=StepKind.NOTIFY)
        .order_by()
        .annotate(alone=alone)
        .values(
            "job_id", "kind", "state", "alone",
            "job__owner_id", "job__priority", "job__max_inflight", "job__last_claimed_at",
            "job__created_at", "job__weight_total", "job__weight_done", "job__links",
        )
        .annotate(
            count=Count("pk"), weights=Sum("weight"), on_lane=Max("lane"),
            share=Max("progress"), since=Max("started_at"), until=Max("lease_until"),
            took=Sum(took), squares=Sum(took * took / (F("weight") + START_SECONDS)),
        )
    )  # fmt: skip


def _first(row: dict[str, Any], now: datetime) -> Work:
    load = Load(
        owner=row["job__owner_id"],
        priority=row["job__priority"],
        max_inflight=row["job__max_inflight"] or conf.JOB_MAX_INFLIGHT,
        served_at=row["job__last_claimed_at"].timestamp(),
        age_seconds=(now - row["job__created_at"]).total_seconds(),
        unplanned=row["job__weight_total"] - row["job__weight_done"],
    )
    return Work(load=load, links=row["job__links"])


def _added(work: Work, row: dict[str, Any], now: datetime) -> Work:
    work = replace(work, running=work.running + (row["state"] == StepState.RUNNING))
    if row["kind"] == StepKind.PLAN:
        return replace(work, planning=True)
    load, raw = work.load, row["weights"]
    weights = raw + START_SECONDS * row["count"]
    if row["state"] == StepState.SUCCEEDED:
        load = _measured(load, row["count"], weights, row["took"], row["squares"])
        more: dict[str, Any] = {}
    elif row["state"] == StepState.RUNNING:
        more = {"running": [*load.running, _busy(row, now)]}
        work = replace(work, moved=work.moved + raw * _share(row))
    elif row["kind"] == StepKind.JOIN:
        more = {"joins": load.joins + row["count"], "joins_weight": load.joins_weight + weights}
    else:
        more = {"ready": load.ready + row["count"], "ready_weight": load.ready_weight + weights}
    if row["kind"] == StepKind.FINAL:  # letters go out at a set speed: seconds as estimated
        load = _measured(load, row["count"], weights, weights, weights)
    if row["state"] != StepState.SUCCEEDED:
        more["unplanned"] = load.unplanned - raw
    return replace(work, lane=row["on_lane"], load=replace(load, **more))


def _measured(
    load: Load, count: int, weight: float, seconds: float | None, squares: float | None
) -> Load:
    return replace(
        load,
        ended=load.ended + count,
        ended_weight=load.ended_weight + weight,
        ended_seconds=load.ended_seconds + max(0.0, seconds or 0.0),
        ended_squares=load.ended_squares + (squares or 0.0),
    )


def _share(row: dict[str, Any]) -> float:
    return float(min(1.0, max(0.0, row["share"])))


def _busy(row: dict[str, Any], now: datetime) -> Busy:
    """Return a running step; its lease was renewed with the last news of it."""
    since = row["since"] or now
    told = row["until"] - timedelta(seconds=conf.LEASE_SECONDS) if row["until"] else now
    told = min(now, max(told, since))
    return Busy.told(
        row["weights"],
        _share(row),
        seconds=(told - since).total_seconds(),
        silent_seconds=(now - told).total_seconds(),
        is_join=row["kind"] == StepKind.JOIN,
    )


def _with_unplanned(work: Work) -> Work:
    """Keep what no step carries only while a plan is to come; else it is what failed.

    In a chain the operations to come have no steps yet.
    """
    left = max(0.0, work.load.unplanned) if work.planning or work.links > 1 else 0.0
    return replace(work, load=replace(work.load, unplanned=left))


def times_left(works: dict[int, Work], crews: dict[str, Crew]) -> dict[int, tuple[float, float]]:
    """Return the range of seconds of each job that can be told one; `crews` by lane.

    Who runs a step is a worker, also without a row: `runop` has such.
    """
    ranges = {}
    for lane, crew in crews.items():
        loads = {pk: work.load for pk, work in works.items() if work.lane == lane}
        count = max(crew.live, sum(len(load.running) for load in loads.values()))
        count = min(count, crew.most)
        for pk, course in (foresee(loads, count) if count else {}).items():
            told = time_range(loads[pk], course.ends)
            planned = not works[pk].planning or (works[pk].links > 1 and loads[pk].ended)
            if told is not None and planned:
                ranges[pk] = told
    return ranges
