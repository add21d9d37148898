"""Carried: the items that depend on a step, and how it ends when there are none any more."""

from django.db.models import Q

from uploads.errors import LeaseLost
from uploads.models import Item, Job, Step
from uploads.states import StepKind, StepState, UploadState


def carried(step: Step) -> list[Item]:
    """Return the open items that depend on a step; on a plan also those it has yet to take.

    An e-mail that is sent again names the item that it came from, which may be at work anew.
    """
    if step.kind == StepKind.NOTIFY:
        return []
    if step.item_id:
        return list(Item.objects.open().filter(pk=step.item_id))
    mine = Q(step=step)
    if step.kind == StepKind.PLAN:
        # Else a plan that always dies first would be planned anew for ever.
        mine |= Q(step=None) & (Q(upload__state=UploadState.COMPLETE) | Q(upload=None))
    return list(Item.objects.open().filter(mine, stage=step.stage_id))


def ends_with_its_items(step: Step) -> bool:
    """End a step of which no item is open any more: a ready one would wait for ever."""
    if step.kind == StepKind.NOTIFY or carried(step):
        return False
    if not Step.end(step.lease, state_without_items(step)):
        raise LeaseLost
    if step.kind != StepKind.PLAN:
        step.job.spare(step.weight)
    return True


def state_without_items(step: Step) -> StepState:
    """Return how a step ends that carries nothing any more: a plan that was left alone is done."""
    unwanted = Job.objects.filter(pk=step.job_id).exclude(cancel_requested_at=None).exists()
    done = step.kind == StepKind.PLAN and not unwanted
    return StepState.SUCCEEDED if done else StepState.CANCELLED
