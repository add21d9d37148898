"""Apart: the files of a batch that costs workers go on one by one, so that only the culprit fails."""

from collections.abc import Sequence

from django.db.models import Max

from uploads.conf import conf
from uploads.models import Item, Job, Step
from uploads.states import StepKind, StepState


def set_apart(job: Job, step: Step, items: Sequence[Item]) -> None:
    """Give each file of a batch a step of its own before the worker death that would fail it.

    Inside the transaction that puts the step back: the batch keeps its first file. Each
    takes the worker deaths with it, for nobody knows whose they were.
    """
    crashes = step.crashes + 1
    batch = step.kind == StepKind.WORK and not step.item_id and len(items) > 1
    if not batch or crashes != conf.STEP_CRASHES - 1:
        return
    first, *others = items
    Step.objects.filter(pk=step.pk).update(weight=first.weight)
    same = Step.objects.filter(job=job, stage=step.stage_id, kind=step.kind)
    seq = 1 + (same.aggregate(n=Max("seq"))["n"] or 0)
    for number, item in enumerate(others):
        item.step = Step.objects.create(
            job=job,
            stage_id=step.stage_id,
            kind=step.kind,
            seq=seq + number,
            lane=step.lane,
            owner_id=step.owner_id,
            state=StepState.READY,
            weight=item.weight,
            crashes=crashes,
            needs_memory_bytes=step.needs_memory_bytes,
            needs_disk_bytes=step.needs_disk_bytes,
        )
        item.save(update_fields=["step"])
