"""Rows as JSON, and the schema of each shape; the names are promises to scripts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse

from uploads.models import Item, Job, Result, Step, Upload
from uploads.models.chaining import roots
from uploads.models.glance import glance
from uploads.models.prediction import predict
from uploads.models.result import BETWEEN, WITHIN
from uploads.models.waiting import why_steps_wait
from uploads.states import ItemState, JobState, StepKind, StepState, UploadState

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
TIME: Json = {"type": "string", "format": "date-time"}
OBJECT: Json = {"type": "object"}


def record(**properties: Json) -> Json:
    """Return the schema of an object that always has exactly these fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def maybe(shape: Json) -> Json:
    """Return the schema of a value that may be null."""
    return {"anyOf": [shape, {"type": "null"}]}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(name: str) -> Json:
    """Return the schema of one piece of a list."""
    return record(results={"type": "array", "items": ref(name)}, next=maybe(TEXT))


ROLES = ["result", "preview", "report", "inner", BETWEEN, WITHIN]

SCHEMAS: dict[str, Json] = {
    "Error": record(code=TEXT, message=TEXT, detail=TEXT),
    "Waiting": {
        "type": "object",
        "properties": {
            "reason": TEXT,
            "text": TEXT,
            "position": COUNT,
            "starts_in_seconds": maybe(record(low=COUNT, high=COUNT)),
        },
        "required": ["reason", "text", "starts_in_seconds"],
        "additionalProperties": False,
    },
    "Job": record(
        id=TEXT,
        name=TEXT,
        operation=TEXT,
        options=OBJECT,
        stages={"type": "array", "items": record(operation=TEXT, options=OBJECT)},
        names=TEXT,
        sample={"type": "boolean"},
        prediction={
            **maybe(ref("Prediction")),
            "description": "Of a sample that has ended, in the answer for one job; null in lists.",
        },
        state={"type": "string", "enum": [state.value for state in JobState]},
        paused={"type": "boolean"},
        priority={"type": "integer", "minimum": -100, "maximum": 100},
        max_inflight=COUNT,
        progress={"type": "number", "minimum": 0, "maximum": 1},
        items=record(total=COUNT, done=COUNT, failed=COUNT, cancelled=COUNT),
        eta_seconds=maybe(record(low=COUNT, high=COUNT)),
        waiting=maybe(ref("Waiting")),
        error=maybe(record(code=TEXT, message=TEXT)),
        seq=COUNT,
        created_at=TIME,
        started_at=maybe(TIME),
        finished_at=maybe(TIME),
    ),
    "Prediction": record(
        files=COUNT,
        source_bytes=COUNT,
        result_bytes=COUNT,
        seconds=maybe(record(low=COUNT, high=COUNT)),
    ),
    "Preset": record(
        id=TEXT,
        name=TEXT,
        names=TEXT,
        stages={"type": "array", "items": record(operation=TEXT, options=OBJECT)},
        created_at=TIME,
    ),
    "Hold": record(place=TEXT, text=TEXT, held_by=TEXT, held_at=TIME),
    "Lane": record(
        lane=TEXT,
        workers=COUNT,
        ready=COUNT,
        running=COUNT,
        max_inflight=maybe({"type": "integer", "minimum": 1}),
        limited_by=maybe(TEXT),
        limited_at=maybe(TIME),
    ),
    "Step": record(
        id=COUNT,
        kind={"type": "string", "enum": [kind.value for kind in StepKind]},
        label=TEXT,
        lane=TEXT,
        state={"type": "string", "enum": [state.value for state in StepState]},
        progress={"type": "number", "minimum": 0, "maximum": 1},
        attempt=COUNT,
        needs_memory_bytes=COUNT,
        needs_disk_bytes=COUNT,
        waiting=maybe(ref("Waiting")),
        created_at=TIME,
        started_at=maybe(TIME),
        finished_at=maybe(TIME),
    ),
    "Item": record(
        place={**TEXT, "description": "Which one it is: `3`, or `1.3` of a chain's second part."},
        stage=COUNT,
        position=COUNT,
        name=TEXT,
        relative_path=TEXT,
        size_bytes=COUNT,
        state={"type": "string", "enum": [state.value for state in ItemState]},
        upload=maybe(TEXT),
        options={**OBJECT, "description": "Its own, beside those of the job."},
        error=maybe(ref("Error")),
        last_lines=TEXT,
        warnings={"type": "array", "items": TEXT},
        finished_at=maybe(TIME),
    ),
    "Result": record(
        id=TEXT,
        name=TEXT,
        role={"type": "string", "enum": ROLES},
        size_bytes=COUNT,
        media_type=TEXT,
        sha256=TEXT,
        content_url=TEXT,
        item=maybe(COUNT),
        stage=maybe(COUNT),
        source_upload=maybe(TEXT),
        meta=OBJECT,
    ),
    "Upload": record(
        id=TEXT,
        name=TEXT,
        relative_path=TEXT,
        size_bytes=COUNT,
        received_bytes=COUNT,
        state={"type": "string", "enum": [state.value for state in UploadState]},
        kind=TEXT,
        media_type=TEXT,
        sha256=TEXT,
        created_at=TIME,
        completed_at=maybe(TIME),
        expires_at=maybe(TIME),
    ),
    "State": {
        "type": "object",
        "description": (
            "`patch`: the events `[seq, kind, body]` from `prev` to `seq`; "
            "`snap`: load everything anew. `state` is the job with its steps."
        ),
        "properties": {
            "t": {"type": "string", "enum": ["patch", "snap"]},
            "prev": COUNT,
            "seq": COUNT,
            "state": OBJECT,
            "ev": {"type": "array", "items": {"type": "array"}},
        },
        "required": ["t", "seq", "state", "ev"],
        "additionalProperties": False,
    },
    "Operation": record(
        name=TEXT,
        label=TEXT,
        summary=TEXT,
        accepts={"type": "array", "items": TEXT},
        takes={"type": "string", "enum": ["each", "all"]},
        version=COUNT,
        presets={
            "type": "array",
            "items": record(name=TEXT, label=TEXT, summary=TEXT, options=OBJECT),
        },
        options=OBJECT,
    ),
}


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
    """Return items; `upload` and `stage` must be selected with them."""
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
            "upload": upload.key if (upload := first[item.pk].upload) else None,
            "options": item.options,
            "error": (
                {"code": item.error_code, "message": item.error_text, "detail": item.error_fix}
                if item.error_code
                else None
            ),
            "last_lines": item.error_detail,
            "warnings": item.warnings,
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
            "source_upload": (
                upload.key if result.item_id and (upload := first[result.item_id].upload) else None
            ),
            "meta": result.meta,
        }
        for result in results
    ]


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
