"""What a job looks like right now: computed from rows each time, stored nowhere."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum

from uploads.models.glance import glance, mark_of
from uploads.models.job import Job
from uploads.models.shown import shown
from uploads.models.waiting import why_steps_wait
from uploads.models.words import time_range
from uploads.states import JobState, StepState, UploadState

Json = dict[str, Any]
SHOWN_RUNNING_STEPS = 16


def snapshot(job: Job) -> Json:
    """Return the job as its page and sockets show it: its glance and what only one job at a time needs.

    At most sixteen queries, however many items. `seconds` of a kind of step that is still
    at work are null: who looks counts them on from `started_at`.
    """
    state = glance([job])[0]
    left = state["eta_seconds"]
    kinds = _kinds(job)
    state |= {
        "paused_by": job.paused_by if job.is_paused else "",
        "cancelling": job.is_cancelling,
        "eta_text": time_range(left["low"], left["high"]) if left else "",
        "steps": {"kinds": kinds, "running": _running(job), "waiting": _waiting(job, kinds)},
        "arriving": _arriving(job),
        "notify": job.tells,
        "results_bytes": job.results.finished().bytes_taken(),
    }
    mark = mark_of(state, is_cancelling=job.is_cancelling)
    return {**state, "shown": {**shown(state), "mark": mark}}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _kinds(job: Job) -> dict[str, Json]:
    """Return for each kind of step how many there are, in which state, and since when."""
    rows = (
        job.steps.values("kind")
        .annotate(
            total=Count("id"),
            done=Count("id", filter=Q(state=StepState.SUCCEEDED)),
            running=Count("id", filter=Q(state=StepState.RUNNING)),
            failed=Count("id", filter=Q(state=StepState.FAILED)),
            cancelled=Count("id", filter=Q(state=StepState.CANCELLED)),
            started=Min("started_at"),
            finished=Max("finished_at"),
        )
        .order_by()
    )
    return {row["kind"]: _kind(dict(row)) for row in rows}


def _kind(row: Json) -> Json:
    counts = {name: row[name] for name in ("total", "done", "running", "failed", "cancelled")}
    is_open = row["total"] > row["done"] + row["failed"] + row["cancelled"]
    took = None if is_open or not row["started"] else (row["finished"] - row["started"])
    seconds = round(took / timedelta(seconds=1), 1) if took is not None else None
    return {**counts, "started_at": _iso(row["started"]), "seconds": seconds}


def _running(job: Job) -> list[Json]:
    running = job.steps.filter(state=StepState.RUNNING).order_by("id")
    return [
        {
            "id": step.pk,
            "kind": step.kind,
            "label": step.label,
            "progress": round(step.progress, 3),
            "note": step.note,
            "attempt": step.attempt,
            "worker": step.lease_owner,
            "started_at": _iso(step.started_at),
        }
        for step in running[:SHOWN_RUNNING_STEPS]
    ]


def _waiting(job: Job, kinds: dict[str, Json]) -> dict[str, Json]:
    """Return why the kinds wait of which nothing runs, while others run: of each its first step."""
    if not any(counts["running"] for counts in kinds.values()):
        return {}
    still = [kind for kind, counts in kinds.items() if not counts["running"]]
    waiting = job.steps.filter(kind__in=still, state__in=[StepState.PENDING, StepState.READY])
    firsts = waiting.order_by().values("kind").annotate(first=Min("id")).values("first")
    steps = list(job.steps.filter(pk__in=firsts))
    reasons = why_steps_wait(job, steps) if steps else {}
    return {step.kind: reasons[step.pk].as_json() for step in steps}


def _arriving(job: Job) -> Json | None:
    """Return how far the files have come while some are still on their way."""
    if job.state != JobState.RECEIVING:
        return None
    sums: Json = job.inputs.aggregate(
        files=Count("id"),
        awaited=Count("id", filter=Q(upload__state=UploadState.RECEIVING)),
        bytes_total=Sum("upload__length"),
        bytes_arrived=Sum("upload__offset"),
    )
    return {**sums, "arrived": sums["files"] - sums["awaited"]}
