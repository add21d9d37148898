"""Rows as JSON, in the shapes that `schemas` describes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse

from uploads.models import Item, Job, Result, Step, Upload
from uploads.models.chaining import roots
from uploads.models.glance import glance
from uploads.models.prediction import predict
from uploads.models.waiting import why_steps_wait

Json = dict[str, Any]


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def job_json(job: Job) -> Json:
    """Return one job; of an ended sample also what it says of all files."""
    foreseen = predict(job)
    return {**glance([job])[0], "prediction": foreseen.as_json() if foreseen else None}


def jobs_json(jobs: Sequence[Job]) -> list[Json]:
    return glance(jobs)


def steps_json(job: Job, steps: Sequence[Step]) -> list[Json]:
    """Return steps of one job, each with the reason why it waits, if it does."""
    reasons = why_steps_wait(job, steps)
    return [
        {
            "id": step.pk,
            "kind": step.kind,
            "label": step.label,
            "lane": step.lane,
            "state": step.state,
            "progress": round(step.progress, 3),
            "attempt": step.attempt,
            "needs_memory_bytes": step.needs_memory_bytes,
            "needs_disk_bytes": step.needs_disk_bytes,
            "waiting": reasons[step.pk].as_json() if step.pk in reasons else None,
            "created_at": _time(step.created_at),
            "started_at": _time(step.started_at),
            "finished_at": _time(step.finished_at),
        }
        for step in steps
    ]


def items_json(items: Sequence[Item]) -> list[Json]:
    """Return items; `upload`, `stage` and `twin__job` must be selected with them."""
    first = roots(items)
    return [
        {
            "place": item.place,
            "stage": item.stage.position,
            "position": item.position,
            "name": item.name,
            "relative_path": item.relative_path,
            "size_bytes": item.size_bytes,
            "state": item.state,
            "upload": _root_key(item, first),
            "options": item.options,
            "error": (
                {"code": item.error_code, "message": item.error_text, "detail": item.error_fix}
                if item.error_code
                else None
            ),
            "last_lines": item.error_detail,
            "warnings": item.warnings,
            "reused_from": item.twin.job.key if item.twin else None,
            "finished_at": _time(item.finished_at),
        }
        for item in items
    ]


def results_json(results: Sequence[Result]) -> list[Json]:
    """Return results; `item`, `item__upload` and `item__stage` must be selected with them."""
    first = roots(result.item for result in results if result.item)
    return [
        {
            "id": result.key,
            "name": result.name,
            "role": result.role,
            "size_bytes": result.size_bytes,
            "media_type": result.media_type,
            "sha256": result.sha256,
            "content_url": reverse("api:content", kwargs={"key": result.key}),
            "item": result.item.position if result.item else None,
            "stage": result.item.stage.position if result.item else None,
            "source_upload": _root_key(result.item, first),
            "meta": result.meta,
        }
        for result in results
    ]


def _root_key(item: Item | None, first: dict[int, Item]) -> str | None:
    """Return the key of the upload that an item of a chain came from."""
    upload = first[item.pk].upload if item else None
    return upload.key if upload else None


def uploads_json(uploads: Sequence[Upload]) -> list[Json]:
    return [
        {
            "id": upload.key,
            "name": upload.name,
            "relative_path": upload.relative_path,
            "size_bytes": upload.length,
            "received_bytes": upload.offset,
            "state": upload.state,
            "kind": upload.kind,
            "media_type": upload.media_type,
            "sha256": upload.sha256,
            "created_at": _time(upload.created_at),
            "completed_at": _time(upload.completed_at),
            "expires_at": _time(upload.expires_at),
        }
        for upload in uploads
    ]
