"""What must hold of the database at any time: nothing is without an owner, a deadline or a reason."""

from uploads.models import Job, Step, Upload
from uploads.models.line import Line
from uploads.models.waiting import why_steps_wait, why_waiting
from uploads.states import OPEN_STEP_STATES, ItemState, StepKind, StepState, UploadState


def stuck_rows() -> list[str]:
    """Return a line for each row that has not ended and that nobody would ever move on.

    Empty is good. A running step has a worker, a lease and a deadline; a waiting step or job
    has a reason in words; an upload has a time when it expires; an open item has a step, or
    waits for its file or for the plan.
    """
    return [*_steps(), *_jobs(), *_items(), *_uploads()]


def _steps() -> list[str]:
    found = []
    running = Step.objects.filter(state=StepState.RUNNING)
    for step in running:
        if not (step.lease_owner and step.lease_token and step.lease_until and step.deadline_at):
            found.append(f"running step {step.pk} has no worker, lease or deadline")
    waiting = Step.objects.filter(state__in=OPEN_STEP_STATES).exclude(pk__in=running)
    for job in Job.objects.filter(pk__in=waiting.values("job")):
        mine = list(waiting.filter(job=job))
        reasons = why_steps_wait(job, mine)
        found += [
            f"{step.state} step {step.pk} of job {job.pk} has no reason"
            for step in mine
            if not _says(reasons.get(step.pk))
        ]
        found += [f"pending step {s.pk} waits for nothing" for s in mine if _forsaken(s)]
    return found


def _forsaken(step: Step) -> bool:
    """Tell whether a pending join has no part left that could make it ready."""
    if step.state != StepState.PENDING or step.kind != StepKind.JOIN:
        return False
    parts = Step.objects.filter(item=step.item_id, kind=StepKind.WORK)
    return not parts.filter(state__in=OPEN_STEP_STATES).exists()


def _says(waiting: object) -> bool:
    text = getattr(waiting, "text", "")
    return bool(text) and "…" not in text


def _jobs() -> list[str]:
    found = []
    line = Line()
    still = [job for job in Job.objects.unfinished() if not line.of_job[job.pk]]
    reasons = why_waiting(still, line)
    for job in still:
        if not _says(reasons.get(job.pk)):
            found.append(f"{job.state} job {job.pk} has no reason")
    for job in Job.objects.unfinished():
        if job.items_open <= 0:
            found.append(f"{job.state} job {job.pk} has no open item and has not ended")
    for job in Job.objects.filter(settled_at=None).exclude(finished_at=None):
        if not job.steps.filter(state__in=OPEN_STEP_STATES).exists():
            found.append(f"ended job {job.pk} is not settled and has no step left")
    return found


def _items() -> list[str]:
    found = []
    for job in Job.objects.unfinished():
        open_steps = set(job.steps.filter(state__in=OPEN_STEP_STATES).values_list("pk", flat=True))
        planning = job.steps.filter(kind=StepKind.PLAN, state__in=OPEN_STEP_STATES).exists()
        for item in job.items.filter(state=ItemState.OPEN).select_related("upload"):
            arriving = item.upload is not None and item.upload.state == UploadState.RECEIVING
            whole = item.upload is None and job.waits_for_files()
            if not (item.step_id in open_steps or planning or arriving or whole):
                found.append(f"open item {item.pk} of job {job.pk} belongs to no step")
    return found


def _uploads() -> list[str]:
    used = Job.objects.unfinished().values("inputs__upload")
    free = Upload.objects.filter(state=UploadState.RECEIVING, expires_at=None).exclude(pk__in=used)
    return [f"receiving upload {upload.pk} never expires" for upload in free]
