"""What has to be true after a kill and a restart: nothing lost, doubled, torn, stuck or left behind."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from tests.support.killpoints_mail import mails
from uploads.management.commands.sweep import INTAKE_SWEEPS
from uploads.models import Event, Item, Job, Message, Result, Step, Upload
from uploads.states import ItemState, Lane, StepState, UploadState
from uploads.storage import store
from uploads.work.run import drain
from uploads.work.sweeps import SWEEPS

DAYS = 3 * 86400
ROUNDS = 20
KNOWN_FILES = ("db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm", "secret_key")
COUNTERS = {
    "items_done": ItemState.SUCCEEDED,
    "items_failed": ItemState.FAILED,
    "items_cancelled": ItemState.CANCELLED,
}


@dataclass(frozen=True)
class Found:
    """What a world ended as: its outcome, how often steps began, and every fault in words."""

    outcome: dict[str, Any]
    starts: int
    faults: list[str]


def sweep() -> None:
    """Run every sweep of the sweep process once, in its order."""
    for each in (*SWEEPS, *INTAKE_SWEEPS):
        each.function()


def go_on() -> None:
    """Do what a started Tidemill does until nothing moves: sweeps and workers of both lanes."""
    for _ in range(ROUNDS):
        sweep()
        Step.objects.filter(state=StepState.READY).update(not_before=timezone.now())
        if not drain(Lane.LIGHT, 60) + drain(Lane.CPU, 60):
            return
    raise AssertionError("the work does not come to an end")


def grow_old() -> None:
    """Let days pass for what nobody touches: files, and uploads that no job uses."""
    past = time.time() - DAYS
    for folder in (store.root, store.root / "scratch"):
        for path in folder.rglob("*"):
            if not path.name.startswith("db.sqlite3"):
                os.utime(path, (past, past), follow_symlinks=False)
    Upload.objects.unused().update(expires_at=timezone.now() - timedelta(seconds=1))
    sweep()
    Upload.objects.unused().update(expires_at=timezone.now() - timedelta(seconds=1))
    sweep()


def examine() -> Found:
    """Go on to the end, let the sweeps clean up, then look at everything."""
    go_on()
    grow_old()
    starts = _logged(StepState.RUNNING)
    faults = [
        *_left_over_steps(),
        *_step_faults(),
        *(fault for job in Job.objects.all() for fault in _job_faults(job)),
        *_result_faults(),
        *_upload_faults(),
        *_stray_files(),
        *_message_faults(),
    ]
    return Found(_outcome(), sum(starts.values()), faults)


def _logged(state: StepState) -> Counter[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT step FROM kill_log WHERE state = %s", [state])
        return Counter(row[0] for row in cursor.fetchall())


def _outcome() -> dict[str, Any]:
    """Return what people see of all jobs, without names that are made by chance."""
    return {
        "jobs": sorted(_job_outcome(job) for job in Job.objects.all()),
        "mails": sorted(mails()),
        "messages": sorted(Message.objects.values_list("recipient", "state")),
        "mail_events": sorted(
            Event.objects.filter(kind__startswith="mail_").values_list("kind", flat=True)
        ),
    }


def _job_outcome(job: Job) -> tuple[Any, ...]:
    items = job.items.order_by("position").values_list("position", "state", "error_code")
    results = job.results.values_list("item__position", "role", "name", "size_bytes", "sha256")
    steps = job.steps.values_list("kind", "state")
    return (
        job.name,
        str(job.state),
        [tuple(map(str, item)) for item in items],
        sorted(tuple(map(str, result)) for result in results),
        sorted(Counter(f"{kind} {state}" for kind, state in steps).items()),
        bool(job.cancel_requested_at),
        sum(job.steps.exclude(state="cancelled").values_list("attempt", flat=True)),
    )


# --- faults ---------------------------------------------------------------------------


def _left_over_steps() -> Iterator[str]:
    for step in Step.objects.exclude(
        state__in=[StepState.SUCCEEDED, StepState.FAILED, StepState.CANCELLED]
    ):
        yield f"{step.kind} step {step.seq} is still {step.state}"


def _step_faults() -> Iterator[str]:
    for step, count in _logged(StepState.SUCCEEDED).items():
        if count > 1:
            yield f"step {step} was committed {count} times"


def _job_faults(job: Job) -> Iterator[str]:
    if not job.is_finished:
        yield f"job “{job.name}” has not ended: {job.state}"
    if job.is_finished and job.settled_at is None:
        yield f"job “{job.name}” is not settled"
    for counter, state in COUNTERS.items():
        counted = job.items.filter(state=state).count()
        if getattr(job, counter) != counted:
            yield f"{counter} says {getattr(job, counter)} and there are {counted}"
    open_items = job.items.filter(state=ItemState.OPEN).count()
    if open_items or job.items_total != job.items.count():
        yield f"{open_items} items are open, {job.items.count()} of {job.items_total} are there"
    ends = Event.objects.filter(job=job, kind="ended").count()
    begun = 1 + Event.objects.filter(job=job, kind="retried").count()
    if ends != begun:
        yield f"job “{job.name}” ended {ends} times instead of {begun}"


def _message_faults() -> Iterator[str]:
    sent = Counter(mails())
    for recipient, state in Message.objects.values_list("recipient", "state"):
        fair = {"sent": {1}, "unknown": {0, 1}}.get(state, set())
        if sent[recipient] not in fair:
            yield f"the e-mail to {recipient} is {state} and was sent {sent[recipient]} times"


def _result_faults() -> Iterator[str]:
    for result in Result.objects.all():
        path = store.path(result.storage_key)
        if not path.exists():
            yield f"the file of result {result.name} is missing"
        elif sha256(path.read_bytes()).hexdigest() != result.sha256:
            yield f"the file of result {result.name} is torn"
    places = Result.objects.values_list("item", "role", "name", "position", "step__kind")
    for place, count in Counter(places).items():
        if count > 1:
            yield f"result {place} is there {count} times"
    for item in Item.objects.filter(state=ItemState.SUCCEEDED):
        if not item.results.exists():
            yield f"item {item.name} succeeded without a result"


def _upload_faults() -> Iterator[str]:
    for upload in Upload.objects.alive():
        path = store.path(upload.storage_key)
        size = path.stat().st_size if path.exists() else None
        if size is None or (upload.state == UploadState.COMPLETE and size != upload.length):
            yield f"upload {upload.name} is {upload.state} with {size} of {upload.length} bytes"


def _stray_files() -> Iterator[str]:
    kept = {store.path(key) for key in Result.objects.values_list("storage_key", flat=True)}
    kept |= {store.path(upload.storage_key) for upload in Upload.objects.alive()}
    kept |= {store.root / name for name in KNOWN_FILES} | set(store.root.glob("up*.lock"))
    for path in sorted(store.root.rglob("*")):
        inside = path.relative_to(store.root).parts
        if path.is_file() and path not in kept and inside[0] != "static":
            yield f"{path.relative_to(store.root)} is left"
    for path in Path(store.scratch()).iterdir():
        yield f"scratch holds {path.name}"
