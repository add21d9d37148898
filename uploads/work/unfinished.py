"""Unfinished: what becomes of a step that is cancelled or put back before its end; fenced as commits are."""

from django.db import transaction

from uploads.errors import LeaseLost
from uploads.models import EventKind, Step
from uploads.states import ItemState, StepState
from uploads.work.carried import carried, ends_with_its_items, state_without_items
from uploads.work.commit import begin, keep_checkpoint


def commit_cancel(step: Step) -> None:
    """End a step whose job is being cancelled, and what it carried."""
    with transaction.atomic():
        job = begin(step)
        items = carried(step)
        if items and not job.cancel_requested_at:  # retried while it unwound
            keep_checkpoint(step)
            if not Step.postpone(step.lease, seconds=0, error="", count_attempt=False):
                raise LeaseLost
            job.touch()
            job.ring_lanes()
            return
        state = StepState.CANCELLED if items else state_without_items(step)
        if not Step.end(step.lease, state):
            raise LeaseLost
        for item in items:
            job.end_item(item, ItemState.CANCELLED, code="item_cancelled")
        job.touch()
        job.end_if_done()


def commit_release(step: Step) -> None:
    """Put a step back because its worker stops; the attempt is not counted."""
    with transaction.atomic():
        job = begin(step)
        if ends_with_its_items(step):
            return
        keep_checkpoint(step)
        if not Step.postpone(step.lease, seconds=0, error="", count_attempt=False):
            raise LeaseLost
        job.record(EventKind.STEP_RELEASED, label=step.label, step=step.pk)
        job.end_if_done()
        job.ring_lanes()


def commit_return(step: Step) -> None:
    """Put back a step in which the database went away, to be done again; nothing is counted."""
    with transaction.atomic():
        job = begin(step)
        if ends_with_its_items(step):
            return
        if not Step.postpone(step.lease, seconds=0, error="", count_attempt=False):
            raise LeaseLost
        job.touch()
        job.end_if_done()
        job.ring_lanes()
