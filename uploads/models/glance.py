"""What many jobs look like right now, for lists: computed from rows each time, stored nowhere."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from uploads.models.job import Job
from uploads.models.loads import Crew, Work, live_workers, most_at_once, times_left, works_of
from uploads.models.stage import Stage
from uploads.models.waiting import Waiting, why_waiting
from uploads.models.words import whole_seconds
from uploads.states import Lane

# Nobody can tell when these end: somebody lifts a pause, makes room or starts a worker.
UNFORESEEABLE = frozenset({"held", "over_quota", "no_worker", "disk_full", "disk", "too_large"})


def glance(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return each job as lists and the API show it; at most eight queries, however many jobs.

    `progress` is 0…1, `eta_seconds` a range or null, `waiting` null while steps run.
    """
    workers = {f"live_{lane}": live_workers(lane) for lane in Lane}
    most = {f"most_{lane}": most_at_once(lane) for lane in Lane}
    rows = Stage.objects.filter(job__in=jobs).annotate(**workers, **most)
    stages: dict[int, list[Stage]] = {}
    for stage in rows.order_by("position"):
        stages.setdefault(stage.job_id, []).append(stage)
    unfinished = [job for job in jobs if not job.is_finished]
    works = works_of(unfinished) if unfinished else {}
    left = times_left(works, _crews(chain.from_iterable(stages.values())))
    still = [job for job in unfinished if not works.get(job.pk, Work()).running]
    reasons = why_waiting(still) if still else {}
    return [
        _shown(
            job,
            stages.get(job.pk, []),
            works.get(job.pk, Work()),
            left.get(job.pk),
            reasons.get(job.pk),
        )
        for job in jobs
    ]


def _crews(stages: Iterable[Stage]) -> dict[str, Crew]:
    """Return the crew of each lane, which every stage was asked with."""
    for stage in stages:
        return {
            lane: Crew(getattr(stage, f"live_{lane}"), getattr(stage, f"most_{lane}"))
            for lane in Lane
        }
    return {}


def _shown(
    job: Job,
    stages: Sequence[Stage],
    work: Work,
    left: tuple[float, float] | None,
    waiting: Waiting | None,
) -> dict[str, Any]:
    return {
        "id": job.key,
        "name": job.name,
        "operation": stages[0].operation if stages else "",
        "options": stages[0].options if stages else {},
        "stages": [{"operation": s.operation, "options": s.options} for s in stages],
        "names": job.names,
        "sample": job.is_sample,
        "prediction": None,
        "state": job.state,
        "paused": job.is_paused,
        "priority": job.priority,
        "max_inflight": job.max_inflight,
        "progress": progress_of(job, work.moved),
        "items": {
            "total": job.items_total,
            "done": job.items_done,
            "failed": job.items_failed,
            "cancelled": job.items_cancelled,
        },
        "eta_seconds": _eta(job, left, waiting),
        "waiting": waiting.as_json() if waiting else None,
        "error": {"code": job.error_code, "message": job.error_text} if job.error_code else None,
        "seq": job.seq,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }


def mark_of(seen: dict[str, Any], *, is_cancelling: bool) -> str:
    """Return the word of a job's mark: wishes come before states, and what stands still runs not."""
    reason = seen["waiting"]["reason"] if seen["waiting"] else ""
    if is_cancelling and seen["finished_at"] is None:
        return "cancelling"
    if seen["paused"] or reason == "held":
        return "paused"
    return "queued" if reason in UNFORESEEABLE else str(seen["state"])


def progress_of(job: Job, moved: float) -> float:
    """Return the done share of the estimated work; only an ended job shows 1."""
    if job.is_finished:
        return 1.0
    if job.weight_total <= 0:
        return 0.0
    return round(min(0.999, (job.weight_done + moved) / job.weight_total), 4)


def _eta(
    job: Job, left: tuple[float, float] | None, waiting: Waiting | None
) -> dict[str, int] | None:
    if left is None or job.is_finished or job.paused_at or job.cancel_requested_at:
        return None
    if waiting and waiting.reason in UNFORESEEABLE:
        return None
    low, high = whole_seconds(*left)
    return {"low": low, "high": high}
