"""The system's pulse in a few sums: what waits, runs and lives; for health, metrics and console."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from uploads.models.job import Job
from uploads.models.step import Step
from uploads.models.worker import Worker
from uploads.states import JobState, Lane, StepState

LOOKED_AT = 500


@dataclass(frozen=True)
class LanePulse:
    """One lane now: ready and running steps, since when the oldest ready one is due, live workers.

    What somebody has paused waits for that person, not for a worker, and is not counted.
    """

    lane: str
    ready: int
    running: int
    oldest_due: datetime | None
    workers: int
    rss_bytes: int

    @property
    def wanted(self) -> bool:
        """Tell whether this lane is meant to have workers."""
        return bool(settings.LANE_WORKERS.get(self.lane))

    @property
    def waited_seconds(self) -> float:
        """Return how long the oldest due step has waited."""
        if self.oldest_due is None:
            return 0.0
        return max(0.0, (timezone.now() - self.oldest_due).total_seconds())


def lanes() -> list[LanePulse]:
    """Return every lane; a query for each and two more, each served by a partial index."""
    due = Min("not_before", filter=Q(not_before__lte=timezone.now()))
    waiting = Step.objects.filter(state=StepState.READY, job__paused_at=None)
    ready = {
        lane.value: waiting.filter(lane=lane).unheld(lane).aggregate(count=Count("id"), oldest=due)
        for lane in Lane
    }
    running = {
        row["lane"]: row["count"]
        for row in Step.objects.filter(state=StepState.RUNNING)
        .order_by()
        .values("lane")
        .annotate(count=Count("id"))
    }
    workers = {
        row["lane"]: row
        for row in Worker.objects.live()
        .order_by()
        .values("lane")
        .annotate(count=Count("id"), rss=Sum("rss_bytes"))
    }
    nothing: dict[str, Any] = {"count": 0, "oldest": None, "rss": 0}
    return [
        LanePulse(
            lane=lane.value,
            ready=ready.get(lane, nothing)["count"],
            running=running.get(lane, 0),
            oldest_due=ready.get(lane, nothing)["oldest"],
            workers=workers.get(lane, nothing)["count"],
            rss_bytes=workers.get(lane, nothing)["rss"] or 0,
        )
        for lane in Lane
    ]


def job_counts() -> dict[str, int]:
    """Return how many jobs are in each state, read from the index of states alone."""
    rows = Job.objects.order_by().values("state").annotate(count=Count("id"))
    found = {row["state"]: row["count"] for row in rows}
    return {state.value: found.get(state.value, 0) for state in JobState}


def failed_lately(hours: int = 24) -> list[int]:
    """Return the numbers of jobs that have ended with failed items lately, newest first.

    Looks at the newest 500 of each state, by their index, so it costs the same beside
    a hundred thousand old ones.
    """
    since = timezone.now() - timedelta(hours=hours)
    found: list[int] = []
    for state in (JobState.FAILED, JobState.PARTIAL):
        newest = Job.objects.filter(state=state).order_by("-pk")[:LOOKED_AT]
        rows = newest.values_list("pk", "finished_at")
        found += [pk for pk, ended in rows if ended is not None and ended >= since]
    return sorted(found, reverse=True)
