"""Rows and files for tests, made as the product makes them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from uploads.conf import conf
from uploads.models import Job, Step, Upload, Worker
from uploads.states import JobState, Lane, StepKind, StepState
from uploads.storage import store
from uploads.work.submit import JobRequest, StageRequest, submit


def make_user(name: str = "alice") -> User:
    return User.objects.create_user(name, f"{name}@example.org", "long-enough-7")


def make_upload(
    owner: User, path: Path, *, media_type: str = "image/jpeg", complete: bool = True
) -> Upload:
    """Return an upload whose bytes are a copy of `path`, arrived unless told otherwise."""
    data = path.read_bytes()
    upload = Upload(owner=owner, name=path.name, length=len(data))
    target = store.path(upload.storage_key)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)  # before the row: the sweep gives up a row without its file
    upload.save()
    if complete:
        upload.complete(kind=media_type.partition("/")[0], media_type=media_type)
    return upload


def make_job(owner: User, uploads: list[Upload], operation: str, **options: Any) -> Job:
    stage = StageRequest(operation, options)
    return submit(owner, JobRequest([stage], [upload.key for upload in uploads]))


def worker(number: int = 1, lane: str = Lane.CPU) -> Worker:
    return Worker.objects.create(host="here", pid=number, start_time=str(number), lane=lane)


def running_job(owner: User, folder: Path, *, took: float = 4.0, ready: int = 8) -> Job:
    """Make a job whose plan and two steps have ended, of which one runs and the others are ready."""
    path = folder / "photo.jpg"
    path.write_bytes(b"photo")
    job = make_job(owner, [make_upload(owner, path)], "image.convert")
    now = timezone.now()
    job.steps.update(state=StepState.SUCCEEDED, started_at=now, finished_at=now)
    stage = job.stages.get()
    for number in range(ready + 3):
        state = StepState.SUCCEEDED if number < 2 else StepState.READY
        Step.objects.create(
            job=job,
            stage=stage,
            kind=StepKind.WORK,
            seq=number,
            lane=Lane.CPU,
            owner=owner,
            weight=2.0,
            state=state,
            started_at=now - timedelta(seconds=took + 6) if number < 2 else None,
            finished_at=now - timedelta(seconds=6) if number < 2 else None,
        )
    job.steps.filter(kind=StepKind.WORK, seq=2).update(
        state=StepState.RUNNING,
        progress=0.5,
        started_at=now - timedelta(seconds=3),
        lease_until=now + timedelta(seconds=conf.LEASE_SECONDS - 1),
    )
    total = 2.0 * (ready + 3)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, started_at=now, weight_total=total, weight_done=4.0
    )
    job.refresh_from_db()
    return job
