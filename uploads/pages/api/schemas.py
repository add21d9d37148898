"""The schema of each shape that the API answers with; the names are promises to scripts."""

from typing import Any

from uploads.models import MessageState
from uploads.models.connection import ConnectionKind
from uploads.models.result import BETWEEN, WITHIN
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
    "Connection": record(
        id=TEXT,
        name=TEXT,
        kind={"type": "string", "enum": [kind.value for kind in ConnectionKind]},
        max_seconds={"type": "number"},
        max_rows=COUNT,
        max_bytes=COUNT,
        tables={
            "type": "array",
            "items": record(
                name=TEXT, columns={"type": "array", "items": {"type": "array", "items": TEXT}}
            ),
        },
        tables_at=maybe(TIME),
        trouble=TEXT,
    ),
    "Message": record(
        id=COUNT,
        recipient=TEXT,
        state={"type": "string", "enum": [state.value for state in MessageState]},
        reason=TEXT,
        finished_at=maybe(TIME),
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
        place={**TEXT, "description": "`3`, or `1.3` for the second operation of a chain."},
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
        reused_from={
            **maybe(TEXT),
            "description": "The job whose results it took over, while that is here.",
        },
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
        takes={"type": "string", "enum": ["each", "all", "none"]},
        version=COUNT,
        lacks=TEXT,
        presets={
            "type": "array",
            "items": record(name=TEXT, label=TEXT, summary=TEXT, options=OBJECT),
        },
        options=OBJECT,
    ),
}
