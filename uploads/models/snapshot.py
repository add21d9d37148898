"""What a job looks like right now: computed from rows each time, stored nowhere."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum
from django.utils import timezone

from uploads.models.job import Job
from uploads.models.step import Step
from uploads.models.worker import Worker
from uploads.states import JobState, StepKind, StepState, UploadState

SHOWN_RUNNING_STEPS = 16


@dataclass(frozen=True)
class Waiting:
    """Why a job that has not ended makes no progress, in words."""

    reason: str
    text: str
    position: int | None = None

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"reason": self.reason, "text": self.text}
        if self.position is not None:
            shown["position"] = self.position
        return shown


def snapshot(job: Job) -> dict[str, Any]:
    """Return the job as pages, sockets and API show it; a handful of queries, however many items.

    `progress` is 0…1, `eta_seconds` a range or null, `waiting` null while steps run.
    """
    stage = job.stages.order_by("position")[0]
    running = list(job.steps.filter(state=StepState.RUNNING).order_by("id")[:SHOWN_RUNNING_STEPS])
    progress = _progress(job)
    waiting = None if running or job.is_finished else why_waiting(job)
    return {
        "id": job.key,
        "name": job.name,
        "operation": stage.operation,
        "options": stage.options,
        "state": job.state,
        "paused": job.is_paused,
        "cancelling": job.is_cancelling,
        "priority": job.priority,
        "progress": progress,
        "items": {
            "total": job.items_total,
            "done": job.items_done,
            "failed": job.items_failed,
            "cancelled": job.items_cancelled,
        },
        "eta_seconds": time_left(job, progress),
        "waiting": waiting.as_json() if waiting else None,
        "error": _error(job),
        "seq": job.seq,
        "steps": _steps(job, running),
        "results_bytes": job.results.finished().bytes_taken(),
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }


def _error(job: Job) -> dict[str, str] | None:
    if not job.error_code:
        return None
    return {"code": job.error_code, "message": job.error_text}


def _progress(job: Job) -> float:
    """Return the done share of the estimated work; only an ended job shows 1."""
    if job.is_finished:
        return 1.0
    if job.weight_total <= 0:
        return 0.0
    running = job.steps.filter(state=StepState.RUNNING).exclude(kind=StepKind.PLAN)
    moving = sum(weight * share for weight, share in running.values_list("weight", "progress"))
    return round(min(0.999, (job.weight_done + moving) / job.weight_total), 4)


def time_left(job: Job, progress: float) -> dict[str, int] | None:
    """Return a range of seconds from the rate so far, or None while it would be a guess."""
    if job.is_finished or job.is_paused or job.started_at is None:
        return None
    elapsed = (timezone.now() - job.started_at).total_seconds()
    if elapsed < 2 or progress < 0.02:
        return None
    rest = elapsed * (1 - progress) / progress
    spread = 0.15 + 0.35 * (1 - progress)
    return {"low": round(rest * (1 - spread)), "high": max(1, round(rest * (1 + spread)))}


def _steps(job: Job, running: list[Step]) -> dict[str, Any]:
    """Return counts by kind, what runs now, and since when."""
    rows = (
        job.steps.values("kind")
        .annotate(
            total=Count("id"),
            done=Count("id", filter=Q(state=StepState.SUCCEEDED)),
            running=Count("id", filter=Q(state=StepState.RUNNING)),
            failed=Count("id", filter=Q(state=StepState.FAILED)),
            started=Min("started_at"),
            finished=Max("finished_at"),
            weight=Sum("weight"),
        )
        .order_by()
    )
    kinds = {
        row["kind"]: {
            "total": row["total"],
            "done": row["done"],
            "running": row["running"],
            "failed": row["failed"],
            "seconds": _seconds(row["started"], row["finished"], running=bool(row["running"])),
        }
        for row in rows
    }
    return {
        "kinds": kinds,
        "running": [
            {
                "id": step.pk,
                "kind": step.kind,
                "label": step.label,
                "progress": round(step.progress, 3),
                "note": step.note,
                "attempt": step.attempt,
                "worker": step.lease_owner,
                "started_at": step.started_at.isoformat() if step.started_at else None,
            }
            for step in running
        ],
    }


def _seconds(started: Any, finished: Any, *, running: bool) -> float | None:
    if started is None:
        return None
    end = timezone.now() if running or finished is None else finished
    return round(float((end - started).total_seconds()), 1)


def why_waiting(job: Job) -> Waiting:
    """Return the reason why no step of an unfinished job runs at this moment."""
    if job.cancel_requested_at:
        return Waiting("cancelling", "Cancelling: the running steps are being stopped.")
    if job.paused_at:
        return Waiting("paused", f"Paused by {job.paused_by or 'an operator'}.")
    ready = job.steps.filter(state=StepState.READY)
    if not ready.exists():
        return _why_nothing_is_ready(job)
    later = ready.filter(not_before__gt=timezone.now())
    if not ready.filter(not_before__lte=timezone.now()).exists():
        due = later.aggregate(due=Min("not_before"))["due"]
        seconds = max(1, round((due - timezone.now()).total_seconds()))
        return Waiting("retry", f"A step failed and is tried again in {seconds} s.")
    lane = ready.values_list("lane", flat=True)[0]
    if not Worker.objects.live(lane).exists():
        return Waiting("no_worker", f"No worker of the lane “{lane}” is alive.")
    ahead = _jobs_ahead(job)
    if ahead == 0:
        return Waiting("next", "Next in line: it starts as soon as a worker is free.", 1)
    words = "1 job is" if ahead == 1 else f"{ahead} jobs are"
    return Waiting("queue", f"{words} ahead of this one.", ahead + 1)


def _why_nothing_is_ready(job: Job) -> Waiting:
    arriving = job.inputs.filter(upload__state=UploadState.RECEIVING).count()
    if job.state == JobState.RECEIVING and arriving:
        total = job.inputs.count()
        return Waiting("upload", f"{total - arriving} of {total} files have arrived.")
    return Waiting("moment", "A step has just ended; the next one is being made ready.")


def _jobs_ahead(job: Job) -> int:
    """Return how many jobs would be served before this one."""
    sooner = Q(priority__gt=job.priority) | Q(
        priority=job.priority, last_claimed_at__lt=job.last_claimed_at
    )
    waiting = Job.objects.unfinished().filter(sooner, paused_at=None, cancel_requested_at=None)
    return waiting.filter(steps__state=StepState.READY).distinct().count()
