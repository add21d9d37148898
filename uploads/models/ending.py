"""A job's verbs for its end: the last open item ends it, the last step settles it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F, Max, Q
from django.utils import timezone

from uploads.conf import conf
from uploads.models.event import EventKind
from uploads.models.item import Item
from uploads.models.step import Step
from uploads.states import OPEN_STEP_STATES, ItemState, JobState, Lane, StepKind, StepState

if TYPE_CHECKING:
    from uploads.models.job import Job


def end_item(
    job: "Job",
    item: Item,
    state: ItemState,
    *,
    code: str = "",
    values: dict[str, Any] | None = None,
    detail: str = "",
    warnings: Iterable[str] = (),
) -> bool:
    """End one open item and count it; False when it had ended already. Inside a transaction."""
    won = Item.objects.filter(pk=item.pk, state=ItemState.OPEN).update(
        state=state,
        error_code=code,
        error_values=values or {},
        error_detail=detail,
        warnings=list(warnings),
        finished_at=timezone.now(),
    )
    if not won:
        return False
    counter = {
        ItemState.SUCCEEDED: "items_done",
        ItemState.FAILED: "items_failed",
        ItemState.CANCELLED: "items_cancelled",
    }[state]
    type(job).objects.filter(pk=job.pk).update(**{counter: F(counter) + 1})
    setattr(job, counter, getattr(job, counter) + 1)
    return True


def spare(job: "Job", seconds: float) -> None:
    """Take out of a job's estimated work what nobody will do; inside a transaction."""
    if seconds:
        type(job).objects.filter(pk=job.pk).update(weight_total=F("weight_total") - seconds)


def end_if_done(job: "Job") -> bool:
    """End the job with its last open item; inserts the notify step. Inside a transaction.

    Of a chain what waits for the ended items begins first.
    """
    job = job.locked()
    if job.cancel_requested_at and not job.is_finished:
        call_off(job)
    if job.is_chain:
        job.gather()
    if job.is_finished or job.items_open > 0:
        return False
    now = timezone.now()
    job.state = _outcome(job)
    job.finished_at = now
    job.expires_at = now + timedelta(seconds=conf.RESULT_KEEP_SECONDS)
    job.paused_at, job.paused_by = None, ""
    job.settled_at = None if job.tells else now
    cancel_waiting_steps(job)
    job.save(
        update_fields=[
            "state",
            "finished_at",
            "expires_at",
            "paused_at",
            "paused_by",
            "settled_at",
        ]
    )
    if job.tells:
        add_notify_step(job)
    job.record(
        EventKind.ENDED,
        state=job.state,
        done=job.items_done,
        failed=job.items_failed,
        cancelled=job.items_cancelled,
    )
    job.ring_lanes()
    return True


def _outcome(job: "Job") -> JobState:
    if job.cancel_requested_at and job.items_cancelled:
        return JobState.CANCELLED
    if not job.items_failed and not job.items_cancelled:
        return JobState.SUCCEEDED
    return JobState.PARTIAL if job.items_done else JobState.FAILED


def add_notify_step(job: "Job") -> None:
    """Insert the step that sends the e-mail at the end; inside a transaction."""
    stage = job.stages.order_by("-position")[0]
    # A retry with other options removes steps, so that their count may be the place of one.
    last = job.steps.filter(kind=StepKind.NOTIFY, stage=stage).aggregate(n=Max("seq"))["n"]
    Step.objects.create(
        job=job,
        stage=stage,
        kind=StepKind.NOTIFY,
        seq=0 if last is None else last + 1,
        lane=Lane.LIGHT,
        owner_id=job.owner_id,
        state=StepState.READY,
        weight=0.5,
        params={"recipient": job.notify},
    )


def settle(job: "Job") -> None:
    """Note that no step is left once the job has ended; inside a transaction."""
    open_steps = job.steps.filter(state__in=OPEN_STEP_STATES)
    if not open_steps.exists():
        type(job).objects.filter(pk=job.pk, settled_at=None).exclude(finished_at=None).update(
            settled_at=timezone.now()
        )


def call_off(job: "Job") -> None:
    """End all of a cancelled job that nobody runs; what runs ends its own. Inside a transaction."""
    cancel_waiting_steps(job)
    running = job.steps.filter(state=StepState.RUNNING)
    # A batch has no item of its own; one NULL in the list would spare every item.
    held = Q(step__in=running) | Q(pk__in=running.exclude(item=None).values("item"))
    ended = (
        job.items.open()
        .exclude(held)
        .update(state=ItemState.CANCELLED, error_code="item_cancelled", finished_at=timezone.now())
    )
    type(job).objects.filter(pk=job.pk).update(items_cancelled=F("items_cancelled") + ended)
    job.items_cancelled += ended


def cancel_waiting_steps(job: "Job") -> None:
    """Call off every step that nobody runs, but for e-mails; inside a transaction."""
    waiting = [StepState.PENDING, StepState.READY]
    steps = job.steps.filter(state__in=waiting).exclude(kind=StepKind.NOTIFY)
    steps.update(state=StepState.CANCELLED, finished_at=timezone.now())
