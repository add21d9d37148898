"""Drives a job's rows through the models' verbs, as workers do, without any worker."""

import time
from datetime import timedelta
from io import BytesIO
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from PIL import Image

from uploads.models import EventKind, Input, Item, Job, Result, Stage, Step, Upload
from uploads.states import ItemState, JobState, Lane, StepKind, StepState, UploadState
from uploads.storage import store

OPTIONS = {"format": "webp", "sizes": [1600], "mode": "fit", "quality": 82}


def picture(seed: int, size: tuple[int, int] = (480, 360)) -> bytes:
    """Return a small JPEG of a gradient that differs by seed."""
    wide, high = size
    first = Image.linear_gradient("L").resize(size)
    second = first.rotate(90 * (seed % 4)).resize((wide, high))
    tone = Image.new("L", size, 60 + (seed * 37) % 160)
    file = BytesIO()
    Image.merge("RGB", (first, second, tone)).save(file, "JPEG", quality=80)
    return file.getvalue()


def make_job(owner: User, *, files: int = 4, name: str = "Holiday", **values: Any) -> Job:
    """Create a queued job of complete uploads, planned by nobody yet."""
    with transaction.atomic():
        job = Job.objects.create(
            owner=owner, name=name, state=JobState.QUEUED, items_total=files, **values
        )
        stage = Stage.objects.create(job=job, operation="image.convert", options=OPTIONS)
        for position in range(files):
            body = picture(position) if position < 12 else b"x"
            upload = Upload.objects.create(
                owner=owner,
                name=f"IMG_{2000 + position}.jpg",
                length=len(body) * 6,
                offset=len(body) * 6,
                state=UploadState.COMPLETE,
                kind="image",
                media_type="image/jpeg",
            )
            write(upload.storage_key, body)
            Input.objects.create(job=job, upload=upload, position=position)
            Item.objects.create(
                job=job,
                stage=stage,
                position=position,
                upload=upload,
                name=upload.name,
                size_bytes=upload.length,
                weight=1,
            )
        job.add_plan_step(stage)
        job.record(EventKind.SUBMITTED, actor=owner.get_username(), items=files)
    return job


def write(key: str, body: bytes) -> None:
    """Put bytes at a storage key."""
    path = store.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def plan(job: Job, *, batch: int = 1) -> list[Step]:
    """Run the plan step: one work step for each batch of items."""
    step = claim(job)
    stage = job.stages.get()
    steps = []
    with transaction.atomic():
        Step.succeed(step.lease)
        items = list(job.items.open())
        for seq, start in enumerate(range(0, len(items), batch)):
            group = items[start : start + batch]
            made = Step.objects.create(
                job=job, stage=stage, kind=StepKind.WORK, seq=seq, lane=Lane.CPU,
                owner_id=job.owner_id, weight=len(group),
            )  # fmt: skip
            Item.objects.filter(pk__in=[item.pk for item in group]).update(step=made)
            steps.append(made)
        Job.objects.filter(pk=job.pk).update(weight_total=len(items))
        job.record(EventKind.PLANNED, items=len(items), steps=len(steps))
    return steps


def claim(job: Job, worker: str = "mill:1") -> Step:
    """Claim the job's next ready step; for tests with one job at work."""
    for lane in (Lane.LIGHT, Lane.CPU):
        step = Step.objects.claim(lane, worker)
        if step is not None:
            assert step.job_id == job.pk
            return step
    raise AssertionError("no step is ready")


def move(step: Step, progress: float, note: str = "") -> None:
    """Report progress as a worker's lease does."""
    assert Step.renew(step.lease, progress, note)
    with transaction.atomic():
        Job.objects.locked(step.job_id).touch()


def finish(step: Step, *, seed: int | None = None, warn: str = "") -> None:
    """Commit a work step with one picture for each of its items."""
    with transaction.atomic():
        job = Job.objects.locked(step.job_id)
        assert Step.succeed(step.lease)
        shown = []
        for position, item in enumerate(step.items.order_by("position")):
            shown.append(_result(job, step, item, position, seed))
            job.end_item(item, ItemState.SUCCEEDED, warnings=[warn] if warn else [])
        Job.objects.filter(pk=job.pk).update(weight_done=job.weight_done + step.weight)
        job.record(EventKind.STEP_DONE, step=step.pk, label=step.label, seconds=1.2, items=shown)
        job.end_if_done()


def _result(job: Job, step: Step, item: Item, position: int, seed: int | None) -> dict[str, Any]:
    body = picture(item.position if seed is None else seed)
    key = f"store/{job.key[:2]}/{job.key}/{step.pk}-{step.lease_token}/{position}.jpg"
    write(key, body)
    result = Result.objects.create(
        job=job, item=item, step=step, position=position, name=item.name, storage_key=key,
        size_bytes=len(body), sha256=f"{step.pk:032x}{position:032x}", media_type="image/jpeg",
    )  # fmt: skip
    return {
        "name": item.name,
        "picture": result.key,
        "result": result.key,
        "shows": True,
        "size_bytes": 1,
    }


def fail(step: Step, code: str = "not_an_image", detail: str = "") -> None:
    """Fail the items of a claimed work step; the step itself succeeds, as for a bad input."""
    with transaction.atomic():
        job = Job.objects.locked(step.job_id)
        assert Step.succeed(step.lease)
        for item in step.items.all():
            job.end_item(
                item, ItemState.FAILED, code=code, values={"name": item.name}, detail=detail
            )
            item.refresh_from_db()
            job.record(EventKind.ITEM_FAILED, name=item.name, text=item.error_text)
        Job.objects.filter(pk=job.pk).update(weight_done=job.weight_done + step.weight)
        job.end_if_done()


def say(job: Job, text: str, kind: EventKind = EventKind.LOG) -> None:
    """Add one line to the job's log."""
    with transaction.atomic():
        Job.objects.locked(job.pk).record(kind, text=text)


def say_lines(job: Job, count: int, *, each_second: int) -> None:
    """Add `line 0`, `line 1`, … at this pace, ten in a transaction."""
    start = time.monotonic()
    for first in range(0, count, 10):
        time.sleep(max(0.0, start + first / each_second - time.monotonic()))
        with transaction.atomic():
            locked = Job.objects.locked(job.pk)
            for number in range(first, min(first + 10, count)):
                locked.record(EventKind.LOG, text=f"line {number}")


def receiving(owner: User, *, files: int = 3) -> Job:
    """Create a job whose last file is still on its way, half of it here."""
    job = make_job(owner, files=files, name="Lecture")
    last = job.inputs.order_by("-position")[0].upload
    Upload.objects.filter(pk=last.pk).update(
        state=UploadState.RECEIVING, length=4_000_000, offset=2_000_000
    )
    job.steps.all().delete()
    Job.objects.filter(pk=job.pk).update(state=JobState.RECEIVING, started_at=None)
    job.refresh_from_db()
    return job


def running_since(job: Job, seconds: float) -> None:
    """Date the job's start back, so that a time left can be told."""
    start = timezone.now() - timedelta(seconds=seconds)
    Job.objects.filter(pk=job.pk).update(started_at=start)
    Step.objects.filter(job=job, state=StepState.SUCCEEDED).update(started_at=start)
