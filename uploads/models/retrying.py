"""A job's verb to do again what failed or was cancelled, and only that."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from uploads.errors import RequestError
from uploads.models.event import EventKind
from uploads.models.item import Item
from uploads.models.step import Step
from uploads.states import ItemState, JobState, StepKind, StepState, UploadState

if TYPE_CHECKING:
    from uploads.models.job import Job


def retry(job: "Job", actor: str, positions: Collection[int] = ()) -> int:
    """Do the failed and cancelled items again, and only those; return how many.

    `positions` chooses among them; empty means all.
    Parts of an item that succeeded are kept; an item whose file is gone stays as it is.
    One transaction, guarded by the end. Raises `RequestError` (`conflict`) when nothing
    can be done again.
    """
    with transaction.atomic():
        locked = job.locked()
        if not locked.retryable:
            raise RequestError("conflict", reason="there is nothing to retry.")
        items = [item for item in _doable(locked) if not positions or item.position in positions]
        if not items:
            raise RequestError("conflict", reason="the files are no longer here.")
        _reopen(locked, items)
        for stage in locked.stages.all():
            if stage.items.unplanned().exists():
                locked.add_plan_step(stage)
        locked.record(EventKind.RETRIED, actor=actor, items=len(items))
        locked.ring_lanes()
    job.refresh_from_db()
    return len(items)


def _doable(job: "Job") -> list[Item]:
    """Return the ended items that are not done and whose files are here."""
    ended = job.items.filter(state__in=[ItemState.FAILED, ItemState.CANCELLED])
    here = Q(upload__state=UploadState.COMPLETE)
    if not job.inputs.exclude(upload__state=UploadState.COMPLETE).exists():
        here |= Q(upload=None)
    return list(ended.filter(here))


def _reopen(job: "Job", items: list[Item]) -> None:
    keys = [item.pk for item in items]
    parts = job.steps.filter(item__in=keys)
    divided = set(parts.filter(kind=StepKind.JOIN).values_list("item_id", flat=True))
    whole = [key for key in keys if key not in divided]
    again = parts.filter(state__in=[StepState.FAILED, StepState.CANCELLED])
    # From the start: a checkpoint may be what made it fail.
    fresh = {"attempt": 0, "crashes": 0, "error": "", "finished_at": None, "checkpoint": None}
    fresh |= {"lease_owner": ""}
    again.filter(kind=StepKind.WORK).update(
        state=StepState.READY, not_before=timezone.now(), progress=0, **fresh
    )
    again.filter(kind=StepKind.JOIN).update(state=StepState.PENDING, progress=0, **fresh)
    Step.ready_joins(job)
    Item.objects.filter(pk__in=whole).update(step=None)
    Item.objects.filter(pk__in=keys).update(
        state=ItemState.OPEN, error_code="", error_values={}, error_detail="", finished_at=None
    )
    failed = sum(item.state == ItemState.FAILED for item in items)
    job.items_failed -= failed
    job.items_cancelled -= len(items) - failed
    rest = parts.filter(state__in=[StepState.READY, StepState.PENDING])
    job.weight_total = (
        job.weight_done
        + sum(item.weight for item in items if item.pk not in divided)
        + sum(rest.values_list("weight", flat=True))
    )
    job.state = JobState.QUEUED
    job.cancel_requested_at = job.finished_at = job.settled_at = job.expires_at = None
    job.error_code, job.error_values = "", {}
    job.save()
