"""What the console's first page shows: sums, active jobs, workers, failures by error."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Max
from django.utils import timezone

from uploads.models import Item, Job, Worker
from uploads.models.glance import glance
from uploads.models.pulse import failed_lately, lanes
from uploads.models.worker import SILENT_SECONDS
from uploads.states import ItemState

SHOWN_JOBS = 12
LOOKED_AT_JOBS = 300
SHOWN_ERRORS = 8


@dataclass(frozen=True)
class JobRow:
    """A job's row and what it looks like now."""

    job: Job
    now: dict[str, Any]

    @property
    def state(self) -> str:
        """Return the word for its pill: wishes come before states."""
        if self.job.is_cancelling:
            return "cancelling"
        return "paused" if self.job.is_paused else self.job.state


@dataclass(frozen=True)
class WorkerCard:
    """A worker and how long it has been silent."""

    worker: Worker
    silent_seconds: float

    @property
    def is_live(self) -> bool:
        return self.silent_seconds <= SILENT_SECONDS


@dataclass(frozen=True)
class Failure:
    """One error of the last day: its code, how many items of how many jobs, and the latest's words."""

    code: str
    items: int
    jobs: int
    text: str


def job_rows(jobs: list[Job]) -> list[JobRow]:
    """Return rows for a table; a constant number of queries."""
    return [JobRow(job, now) for job, now in zip(jobs, glance(jobs), strict=True)]


def worker_cards() -> list[WorkerCard]:
    """Return every worker with its step and job, the live ones first; one query."""
    now = timezone.now()
    rows = Worker.objects.select_related("step__job", "step__stage")
    cards = [WorkerCard(row, (now - row.last_seen_at).total_seconds()) for row in rows]
    return sorted(cards, key=lambda card: not card.is_live)


def failures(jobs: list[int]) -> list[Failure]:
    """Return the errors of these failed jobs' items, the most frequent first; two queries."""
    rows = (
        Item.objects.filter(job__in=jobs[:LOOKED_AT_JOBS], state=ItemState.FAILED)
        .order_by()
        .values("error_code")
        .annotate(count=Count("pk"), jobs=Count("job", distinct=True), latest=Max("pk"))
        .order_by("-count")[:SHOWN_ERRORS]
    )
    found = list(rows)
    latest = Item.objects.in_bulk([row["latest"] for row in found])
    return [
        Failure(row["error_code"], row["count"], row["jobs"], latest[row["latest"]].error_text)
        for row in found
        if row["latest"] in latest
    ]


def overview() -> dict[str, Any]:
    """Return the context of the first page; about a dozen queries, whatever waits or runs."""
    found = lanes()
    failed = failed_lately(hours=24)
    active = Job.objects.unfinished().select_related("owner")
    first = active.order_by(
        F("started_at").asc(nulls_last=True), "-priority", "last_claimed_at", "pk"
    )
    return {
        "ready": sum(lane.ready for lane in found),
        "running": sum(lane.running for lane in found),
        "waited_seconds": max(lane.waited_seconds for lane in found),
        "failed": len(failed),
        "workers_live": sum(lane.workers for lane in found),
        "workers_wanted": sum(settings.LANE_WORKERS.values()),
        "active": job_rows(list(first[:SHOWN_JOBS])),
        "active_total": active.count(),
        "workers": worker_cards(),
        "failures": failures(failed),
    }
