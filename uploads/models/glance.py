"""What many jobs look like right now, for lists: computed from rows each time, stored nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, FloatField, Q, Sum
from django.utils import timezone

from uploads.models.job import Job
from uploads.models.stage import Stage
from uploads.models.step import Step
from uploads.models.waiting import Waiting, why_waiting
from uploads.states import StepKind, StepState


@dataclass(frozen=True)
class Steps:
    """The steps of one job in sums.

    `running` steps have done `moving` estimated seconds; `pace` is what one estimated
    second has really taken so far, None before the first step has ended.
    """

    running: int = 0
    moving: float = 0.0
    pace: float | None = None


def glance(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return each job as lists and the API show it; at most six queries, however many jobs.

    `progress` is 0…1, `eta_seconds` a range or null, `waiting` null while steps run.
    """
    stages = {stage.job_id: stage for stage in Stage.objects.filter(job__in=jobs, position=0)}
    unfinished = [job for job in jobs if not job.is_finished]
    sums = _sums(unfinished) if unfinished else {}
    still = [job for job in unfinished if not sums.get(job.pk, Steps()).running]
    reasons = why_waiting(still) if still else {}
    return [
        _shown(job, stages.get(job.pk), sums.get(job.pk, Steps()), reasons.get(job.pk))
        for job in jobs
    ]


def _sums(jobs: Sequence[Job]) -> dict[int, Steps]:
    running = Q(state=StepState.RUNNING)
    ended = Q(state=StepState.SUCCEEDED, kind=StepKind.WORK)
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    rows = (
        Step.objects.filter(running | ended, job__in=jobs)
        .order_by()
        .values("job_id")
        .annotate(
            running=Count("id", filter=running),
            moving=Sum(
                F("weight") * F("progress"),
                filter=running & ~Q(kind=StepKind.PLAN),
                output_field=FloatField(),
            ),
            estimated=Sum("weight", filter=ended),
            took=Sum(took, filter=ended),
        )
    )
    return {
        row["job_id"]: Steps(
            row["running"], row["moving"] or 0.0, _pace(row["took"], row["estimated"])
        )
        for row in rows
    }


def _pace(took: timedelta | None, estimated: float | None) -> float | None:
    return took.total_seconds() / estimated if took and estimated else None


def _shown(job: Job, stage: Stage | None, steps: Steps, waiting: Waiting | None) -> dict[str, Any]:
    progress = progress_of(job, steps)
    return {
        "id": job.key,
        "name": job.name,
        "operation": stage.operation if stage else "",
        "options": stage.options if stage else {},
        "state": job.state,
        "paused": job.is_paused,
        "priority": job.priority,
        "max_inflight": job.max_inflight,
        "progress": progress,
        "items": {
            "total": job.items_total,
            "done": job.items_done,
            "failed": job.items_failed,
            "cancelled": job.items_cancelled,
        },
        "eta_seconds": time_left(job, progress, steps),
        "waiting": waiting.as_json() if waiting else None,
        "error": {"code": job.error_code, "message": job.error_text} if job.error_code else None,
        "seq": job.seq,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }


def progress_of(job: Job, steps: Steps) -> float:
    """Return the done share of the estimated work; only an ended job shows 1."""
    if job.is_finished:
        return 1.0
    if job.weight_total <= 0:
        return 0.0
    return round(min(0.999, (job.weight_done + steps.moving) / job.weight_total), 4)


def time_left(job: Job, progress: float, steps: Steps) -> dict[str, int] | None:
    """Return a range of seconds, or None while it would be a guess.

    The pace is what finished steps took per estimated second, so pauses and waiting do not
    spoil it; before the first step has ended it is the progress since the start.
    """
    if job.is_finished or job.is_paused or job.started_at is None or progress < 0.02:
        return None
    if steps.pace is not None:
        left = max(0.0, job.weight_total - job.weight_done - steps.moving)
        rest = left * steps.pace / max(1, steps.running)
    else:
        elapsed = (timezone.now() - job.started_at).total_seconds()
        if elapsed < 2:
            return None
        rest = elapsed * (1 - progress) / progress
    spread = 0.15 + 0.35 * (1 - progress)
    return {"low": round(rest * (1 - spread)), "high": max(1, round(rest * (1 + spread)))}
