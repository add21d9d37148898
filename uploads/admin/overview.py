"""What the console's first page shows: problems, lanes, throughput, active jobs, workers, failures."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from uploads.admin.failures import failed_items, failures
from uploads.admin.holds import holds, lane_cards, over_quota
from uploads.admin.host import this_host
from uploads.admin.problems import problems
from uploads.admin.throughput import throughput
from uploads.models import Job, Worker
from uploads.models.glance import glance, mark_of
from uploads.models.pulse import lanes
from uploads.models.words import time_range
from uploads.models.worker import SILENT_SECONDS
from uploads.operations.registry import operations

SHOWN_JOBS = 8
SHOWN_WORKERS = 12
SHOWN_ERRORS = 5
COUNTED = 10_000


@dataclass(frozen=True)
class JobRow:
    """A job's row and what it looks like now."""

    job: Job
    now: dict[str, Any]

    @property
    def state(self) -> str:
        """Return the word for its pill."""
        return mark_of(self.now, is_cancelling=self.job.is_cancelling)

    @property
    def operation(self) -> str:
        """Return the operation's name for people."""
        found = operations().get(self.now["operation"])
        return found.label if found else str(self.now["operation"])

    @property
    def left(self) -> str:
        """Return the time left in words, empty while it would be a guess."""
        left = self.now["eta_seconds"]
        return time_range(left["low"], left["high"]) if left else ""


@dataclass(frozen=True)
class WorkerCard:
    """A worker, how long it has been silent, and how long it has lived."""

    worker: Worker
    silent_seconds: float
    lived_seconds: float

    @property
    def is_live(self) -> bool:
        return self.silent_seconds <= SILENT_SECONDS

    @property
    def name(self) -> str:
        """Return its name as the jobs' filter takes it."""
        return f"{self.worker.host}:{self.worker.pid}"


def job_rows(jobs: list[Job]) -> list[JobRow]:
    """Return rows for a table; a constant number of queries."""
    return [JobRow(job, now) for job, now in zip(jobs, glance(jobs), strict=True)]


def worker_cards() -> list[WorkerCard]:
    """Return every worker with its step and job, the live ones first; one query."""
    now = timezone.now()
    rows = Worker.objects.select_related("step__job", "step__stage")
    cards = [
        WorkerCard(
            row,
            silent_seconds=max(0.0, (now - row.last_seen_at).total_seconds()),
            lived_seconds=max(0.0, (row.last_seen_at - row.started_at).total_seconds()),
        )
        for row in rows
    ]
    return sorted(cards, key=lambda card: not card.is_live)


def overview() -> dict[str, Any]:
    """Return the context of the first page; about twenty queries, whatever waits or runs."""
    found, host, held = lanes(), this_host(), holds()
    active = Job.objects.unfinished().select_related("owner")
    first = active.order_by(
        F("started_at").asc(nulls_last=True), "-priority", "last_claimed_at", "pk"
    )
    groups = failures("day")
    cards = worker_cards()
    return {
        "problems": problems(found, host),
        "host": host,
        "holds": held,
        "over_quota": over_quota(),
        "lanes": lane_cards(found, held),
        "chart": throughput(),
        "ready": sum(lane.ready for lane in found),
        "running": sum(lane.running for lane in found),
        "waited_seconds": max(lane.waited_seconds for lane in found),
        "failed": failed_items("day"),
        "workers_live": sum(lane.workers for lane in found),
        "workers_wanted": sum(settings.LANE_WORKERS.values()),
        "active": job_rows(list(first[:SHOWN_JOBS])),
        "active_total": active[:COUNTED].count(),
        "workers": cards[:SHOWN_WORKERS],
        "workers_more": max(0, len(cards) - SHOWN_WORKERS),
        "failures": groups[:SHOWN_ERRORS],
        "failures_more": max(0, len(groups) - SHOWN_ERRORS),
    }
