"""What a job looks like right now: computed from rows each time, stored nowhere."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, Max, Min, Q, Sum
from django.utils import timezone

from uploads.models.job import Job
from uploads.models.shown import shown
from uploads.models.step import Step
from uploads.models.waiting import why_waiting
from uploads.models.words import time_range
from uploads.states import JobState, StepKind, StepState, UploadState

Json = dict[str, Any]
SHOWN_RUNNING_STEPS = 16


def snapshot(job: Job) -> Json:
    """Return the job as pages, sockets and API show it; at most ten queries, however many items.

    `progress` is 0…1, `eta_seconds` a range or null, `waiting` null while steps run.
    """
    stage = job.stages.order_by("position")[0]
    running = list(job.steps.filter(state=StepState.RUNNING).order_by("id"))
    kinds = _kinds(job)
    progress = _progress(job, running)
    left = time_left(job, progress, running)
    waiting = None if running or job.is_finished else why_waiting([job])[job.pk]
    state: Json = {
        "id": job.key,
        "name": job.name,
        "operation": stage.operation,
        "options": stage.options,
        "state": job.state,
        "paused": job.is_paused,
        "paused_by": job.paused_by if job.is_paused else "",
        "cancelling": job.is_cancelling,
        "priority": job.priority,
        "progress": progress,
        "items": {
            "total": job.items_total,
            "done": job.items_done,
            "failed": job.items_failed,
            "cancelled": job.items_cancelled,
        },
        "eta_seconds": left,
        "eta_text": time_range(left["low"], left["high"]) if left else "",
        "waiting": waiting.as_json() if waiting else None,
        "error": _error(job),
        "seq": job.seq,
        "steps": {"kinds": kinds, "running": _running(running)},
        "arriving": _arriving(job),
        "notify": bool(job.notify),
        "results_bytes": job.results.finished().bytes_taken(),
        "created_at": job.created_at.isoformat(),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
    }
    return {**state, "shown": shown(state)}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _error(job: Job) -> dict[str, str] | None:
    if not job.error_code:
        return None
    return {"code": job.error_code, "message": job.error_text}


def _progress(job: Job, running: list[Step]) -> float:
    """Return the done share of the estimated work; only an ended job shows 1."""
    if job.is_finished:
        return 1.0
    if job.weight_total <= 0:
        return 0.0
    return round(min(0.999, (job.weight_done + _moving(running)) / job.weight_total), 4)


def _moving(running: list[Step]) -> float:
    return sum(step.weight * step.progress for step in running if step.kind != StepKind.PLAN)


def time_left(job: Job, progress: float, running: list[Step]) -> dict[str, int] | None:
    """Return a range of seconds, or None while it would be a guess.

    The pace is what finished steps took per estimated second, so pauses and waiting do not
    spoil it; before the first step has ended it is the progress since the start.
    """
    if job.is_finished or job.is_paused or job.started_at is None or progress < 0.02:
        return None
    rest = _rest(job, running)
    if rest is None:
        elapsed = (timezone.now() - job.started_at).total_seconds()
        if elapsed < 2:
            return None
        rest = elapsed * (1 - progress) / progress
    spread = 0.15 + 0.35 * (1 - progress)
    return {"low": round(rest * (1 - spread)), "high": max(1, round(rest * (1 + spread)))}


def _rest(job: Job, running: list[Step]) -> float | None:
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    ended = job.steps.filter(kind=StepKind.WORK, state=StepState.SUCCEEDED)
    sums = ended.aggregate(weight=Sum("weight"), took=Sum(took))
    if not sums["weight"] or not sums["took"]:
        return None
    pace = sums["took"].total_seconds() / sums["weight"]
    left = max(0.0, job.weight_total - job.weight_done - _moving(running))
    return float(left * pace / max(1, len(running)))


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


def _running(running: list[Step]) -> list[Json]:
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
