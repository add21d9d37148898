"""The state machines of uploads, jobs, items and steps, as data; no Django.

A wish (cancel, pause) is a timestamp on the row, never a state. Every change
goes through one guarded verb on the model, which names its guard.
"""

from enum import StrEnum


class UploadState(StrEnum):
    """Where a file's bytes are on their way in."""

    RECEIVING = "receiving"
    COMPLETE = "complete"
    EXPIRED = "expired"
    TERMINATED = "terminated"


class JobState(StrEnum):
    """Where one request stands; `partial` means some items failed and some succeeded."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ItemState(StrEnum):
    """Where one thing that the user counts stands."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """Where the smallest claimed and retried unit stands; `pending` waits for other steps."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepKind(StrEnum):
    """What a step is for."""

    PLAN = "plan"
    WORK = "work"
    JOIN = "join"
    FINAL = "final"
    NOTIFY = "notify"


class Lane(StrEnum):
    """Which workers may take a step: `cpu` for heavy work, `light` for short or waiting work."""

    CPU = "cpu"
    LIGHT = "light"


UPLOAD_CHANGES: dict[UploadState, frozenset[UploadState]] = {
    UploadState.RECEIVING: frozenset(
        {UploadState.COMPLETE, UploadState.EXPIRED, UploadState.TERMINATED}
    ),
    UploadState.COMPLETE: frozenset({UploadState.EXPIRED, UploadState.TERMINATED}),
    UploadState.EXPIRED: frozenset(),
    UploadState.TERMINATED: frozenset(),
}

# Retry takes a finished job back to queued; all else moves forward only.
JOB_CHANGES: dict[JobState, frozenset[JobState]] = {
    JobState.RECEIVING: frozenset(
        {
            JobState.QUEUED,
            JobState.RUNNING,
            JobState.SUCCEEDED,
            JobState.PARTIAL,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.QUEUED: frozenset(
        {
            JobState.RUNNING,
            JobState.SUCCEEDED,
            JobState.PARTIAL,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.RUNNING: frozenset(
        {JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.SUCCEEDED: frozenset(),
    JobState.PARTIAL: frozenset({JobState.QUEUED}),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}

# Retry makes a part ready again and lets its join wait for it.
STEP_CHANGES: dict[StepState, frozenset[StepState]] = {
    StepState.PENDING: frozenset({StepState.READY, StepState.FAILED, StepState.CANCELLED}),
    StepState.READY: frozenset({StepState.RUNNING, StepState.FAILED, StepState.CANCELLED}),
    StepState.RUNNING: frozenset(
        {StepState.READY, StepState.SUCCEEDED, StepState.FAILED, StepState.CANCELLED}
    ),
    StepState.SUCCEEDED: frozenset(),
    StepState.FAILED: frozenset({StepState.READY, StepState.PENDING}),
    StepState.CANCELLED: frozenset({StepState.READY, StepState.PENDING}),
}

OPEN_JOB_STATES = (JobState.RECEIVING, JobState.QUEUED, JobState.RUNNING)
ENDED_JOB_STATES = (
    JobState.SUCCEEDED,
    JobState.PARTIAL,
    JobState.FAILED,
    JobState.CANCELLED,
)
OPEN_STEP_STATES = (StepState.PENDING, StepState.READY, StepState.RUNNING)
