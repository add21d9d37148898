"""Lost: bytes that rows promise and the disk does not have, as after a restore; what can be redone is."""

import logging

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from uploads.errors import LeaseLost
from uploads.models import EventKind, Job, Result, Step
from uploads.states import StepState
from uploads.storage import store

log = logging.getLogger("tidemill.work")


def redo_lost_parts(step: Step) -> bool:
    """Make the parts ready again whose files a join misses; the join then waits for them.

    One transaction, guarded by the join's lease; raises `LeaseLost`. False when all are here.
    """
    parts = Result.objects.filter(step__item=step.item_id, role="part")
    lost = {part.step_id for part in parts if not store.path(part.storage_key).exists()}
    if not lost:
        return False
    with transaction.atomic():
        try:
            job = Job.objects.locked(step.job_id)
        except Job.DoesNotExist:
            raise LeaseLost from None
        waits = Step.held(step.lease).update(
            state=StepState.PENDING, attempt=F("attempt") - 1, lease_until=None, lease_owner=""
        )
        if not waits:
            raise LeaseLost
        Result.objects.filter(step__in=lost).delete()
        Step.objects.filter(pk__in=lost, state=StepState.SUCCEEDED).update(
            state=StepState.READY,
            attempt=0,
            progress=0,
            not_before=timezone.now(),
            finished_at=None,
        )
        weight = sum(Step.objects.filter(pk__in=lost).values_list("weight", flat=True))
        Job.objects.filter(pk=job.pk).update(weight_done=F("weight_done") - weight)
        words = f"The files of {len(lost)} parts are gone from the server; they are made again."
        job.record(EventKind.WARNING, text=words)
        job.end_if_done()
        job.ring_lanes()
    log.warning("step %s of job %s: %d parts are made again", step.pk, step.job.key, len(lost))
    return True
