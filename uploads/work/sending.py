"""Sending: the step that sends what an item's work has written; it carries the item until then."""

from collections.abc import Sequence

from django.db.models import F, Max

from uploads.errors import RequestError
from uploads.models import Item, Job, Step
from uploads.models.message import seconds_each
from uploads.operations.registry import find
from uploads.states import Lane, StepKind
from uploads.work.outcome import Outcome


def begin_sending(job: Job, step: Step, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Add a step that sends for each item whose letters are written; return the other outcomes.

    A sample sends nothing: its items end with the preview. Inside the commit's transaction.
    """
    try:
        sends = find(step.stage.operation).sends
    except RequestError:
        sends = False
    if not sends or job.is_sample:
        return outcomes
    seq = _highest(step) + 1
    others = []
    for outcome in outcomes:
        if not outcome.done:
            others.append(outcome)
            continue
        _add(job, step, outcome, seq)
        seq += 1
    job.ring_lanes()
    return others


def _highest(step: Step) -> int:
    last = Step.objects.filter(job=step.job_id, stage=step.stage_id, kind=StepKind.FINAL)
    highest = last.aggregate(n=Max("seq"))["n"]
    return -1 if highest is None else int(highest)


def _add(job: Job, step: Step, outcome: Outcome, seq: int) -> None:
    letters = sum(int(made.meta.get("letters", 0)) for made in outcome.made)
    final = Step.objects.create(
        job=job,
        stage=step.stage,
        kind=StepKind.FINAL,
        seq=seq,
        lane=Lane.LIGHT,
        item_id=outcome.key,
        owner_id=step.owner_id,
        weight=max(0.2, letters * seconds_each(step.stage.options)),
    )
    Item.objects.filter(pk=outcome.key).update(step=final, warnings=outcome.warnings)
    Job.objects.filter(pk=job.pk).update(weight_total=F("weight_total") + final.weight)
