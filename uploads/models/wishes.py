"""A job's verbs for what people want of it: cancel, pause, resume, priority, e-mail."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from uploads.errors import RequestError
from uploads.models.ending import add_notify_step
from uploads.models.event import EventKind
from uploads.states import StepKind, StepState

if TYPE_CHECKING:
    from uploads.models.job import Job


def cancel(job: "Job", actor: str) -> bool:
    """Ask for the job's end: what waits ends now, what runs is told within a second.

    One transaction; False when the job has ended or was cancelled before.
    """
    with transaction.atomic():
        won = (
            type(job)
            .objects.filter(pk=job.pk, finished_at=None, cancel_requested_at=None)
            .update(cancel_requested_at=timezone.now())
        )
        if not won:
            return False
        locked = job.locked()
        locked.record(EventKind.CANCEL_REQUESTED, actor=actor)
        locked.end_if_done()
    job.refresh_from_db()
    return True


def pause(job: "Job", actor: str) -> bool:
    """Claim no further step of this job; running steps end. False when it was paused or ended."""
    with transaction.atomic():
        won = (
            type(job)
            .objects.filter(pk=job.pk, paused_at=None, finished_at=None)
            .update(paused_at=timezone.now(), paused_by=actor)
        )
        if won:
            job.locked().record(EventKind.PAUSED, actor=actor)
    job.refresh_from_db()
    return bool(won)


def resume(job: "Job", actor: str) -> bool:
    """Claim steps of this job again. False when it was not paused."""
    with transaction.atomic():
        won = (
            type(job)
            .objects.filter(pk=job.pk, finished_at=None)
            .exclude(paused_at=None)
            .update(paused_at=None, paused_by="")
        )
        if won:
            locked = job.locked()
            locked.record(EventKind.RESUMED, actor=actor)
            locked.ring_lanes()
    job.refresh_from_db()
    return bool(won)


def set_priority(job: "Job", priority: int, actor: str) -> None:
    """Change the order of claims from now on."""
    with transaction.atomic():
        type(job).objects.filter(pk=job.pk).update(priority=priority)
        job.locked().record(EventKind.PRIORITY, actor=actor, priority=priority)
    job.refresh_from_db()


def tell_when_done(job: "Job", address: str) -> bool:
    """Set where the e-mail at the end goes; empty for nowhere. False when the job has ended."""
    with transaction.atomic():
        won = type(job).objects.filter(pk=job.pk, finished_at=None).update(notify=address)
        if won:
            job.locked().touch()
    job.refresh_from_db()
    return bool(won)


def tell_again(job: "Job", actor: str) -> None:
    """Send the e-mail at the end once more, as only a person may decide.

    Raises `RequestError` (`conflict`) unless the last try is known to have failed or
    nobody knows what became of it.
    """
    with transaction.atomic():
        locked = job.locked()
        last = locked.steps.filter(kind=StepKind.NOTIFY, item=None).order_by("-id").first()
        if last is None or last.state != StepState.FAILED:
            raise RequestError("conflict", reason="there is no e-mail to send again.")
        add_notify_step(locked)
        type(job).objects.filter(pk=job.pk).update(settled_at=None)
        locked.record(EventKind.LOG, actor=actor, text=f"{actor} sends the e-mail again.")
        locked.ring_lanes()
    job.refresh_from_db()
