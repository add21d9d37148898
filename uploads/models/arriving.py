"""A job's verbs for its files: what arrives goes on, what never comes fails its item."""

from typing import TYPE_CHECKING

from django.db.models import Max

from uploads.models.event import EventKind
from uploads.models.step import Step
from uploads.states import ItemState, JobState, Lane, StepKind, StepState, UploadState

if TYPE_CHECKING:
    from uploads.models.job import Job
    from uploads.models.stage import Stage
    from uploads.models.upload import Upload


def add_plan_step(job: "Job", stage: "Stage") -> Step:
    """Insert the next plan step of a stage, ready at once; inside a transaction."""
    last = job.steps.filter(stage=stage, kind=StepKind.PLAN).aggregate(n=Max("seq"))
    return Step.objects.create(
        job=job,
        stage=stage,
        kind=StepKind.PLAN,
        seq=0 if last["n"] is None else last["n"] + 1,
        lane=Lane.LIGHT,
        owner_id=job.owner_id,
        state=StepState.READY,
        weight=0.5,
    )


def upload_arrived(job: "Job", upload: "Upload") -> None:
    """Go on with a file that is complete now; inside the upload's transaction.

    Inserts the next plan step unless one is still to run, and leaves `receiving`
    when this was the last file.
    """
    job = job.locked()
    if job.cancel_requested_at or job.is_finished:
        return
    for stage in job.stages.filter(position=0):
        items = stage.items.open()
        items.filter(upload=upload).update(size_bytes=upload.length)
        waits = stage.takes_all and job.waits_for_files()
        waiting = job.steps.filter(stage=stage, kind=StepKind.PLAN).filter(
            state__in=[StepState.PENDING, StepState.READY]
        )
        if not waits and items.filter(step=None).exists() and not waiting.exists():
            job.add_plan_step(stage)
    job.leave_receiving()
    job.record(EventKind.UPLOAD_ARRIVED, name=upload.name)
    job.ring_lanes()


def upload_removed(job: "Job", upload: "Upload") -> None:
    """Fail the items that wait for a file that will never come; inside a transaction."""
    job = job.locked()
    waiting = job.items.open().filter(upload=upload, step=None)
    for item in waiting:
        job.end_item(item, ItemState.FAILED, code="upload_removed", values={"name": upload.name})
    job.leave_receiving()
    job.end_if_done()
    job.touch()


def waits_for_files(job: "Job") -> bool:
    """Tell whether a file of this job is still on its way."""
    return job.inputs.filter(upload__state=UploadState.RECEIVING).exists()


def leave_receiving(job: "Job") -> None:
    """Move on once every file is here (or gone)."""
    if job.state == JobState.RECEIVING and not job.waits_for_files():
        job.state = JobState.RUNNING if job.started_at else JobState.QUEUED
        job.save(update_fields=["state"])
