"""Commit: what a step made becomes true in one transaction that its lease guards.

Files are written to their final keys first; a key holds the lease's token,
so a late worker can only remove its own. Then the job's row is locked, the
step ends if (and only if) the token still holds it, and results, items,
counters and events follow. Killed anywhere before the commit, the step is
done again and stray files are swept; killed after it, nothing is left to do.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Max, Value, When
from django.utils import timezone

from uploads.conf import conf
from uploads.errors import LeaseLost, TidemillError, sentence
from uploads.models import EventKind, Item, Job, Result, Step
from uploads.states import ItemState, StepKind, StepState
from uploads.work.adopt import Adopted, add_results, drop_parts
from uploads.work.carried import carried, ends_with_its_items
from uploads.work.outcome import Outcome, Problem
from uploads.work.sending import begin_sending
from uploads.work.told import shown_item


def commit_work(
    step: Step,
    outcomes: Sequence[Outcome],
    adopted: dict[int, list[Adopted]],
    then: Callable[[], None] | None = None,
    keys: Mapping[int, str] | None = None,
) -> None:
    """End a work or join step with everything it made; raises `LeaseLost` and changes nothing.

    A part or join that can't be done fails, and its item with it; a batch succeeds
    with some of its items failed. `then` is called last, in the same transaction. `keys`
    stand for what items were made of.
    """
    with transaction.atomic():
        job = begin(step, step.weight)
        is_part = step.kind == StepKind.WORK and step.item_id is not None
        problem = outcomes[0].problem if step.item_id and outcomes else None
        if problem is not None:
            error = sentence(problem.code, problem.values)
            if not Step.end(step.lease, StepState.FAILED, error):
                raise LeaseLost
        elif not Step.succeed(step.lease):
            raise LeaseLost
        made = add_results(step, outcomes, adopted)
        if problem is not None:
            fail_item(job, Item.objects.get(pk=outcomes[0].key), problem)
        elif is_part:
            if Step.ready_joins(job, step.item_id):
                job.ring_lanes()
        elif outcomes:
            end_items(job, step, outcomes, keys or {})
        if step.kind == StepKind.JOIN and problem is None:
            drop_parts(step)
        if step.feeds and not is_part:
            job.pass_on(step.stage, [outcome.key for outcome in outcomes], made)
        record_end(job, step, outcomes, made)
        if job.items_open <= 0 or job.cancel_requested_at or step.feeds:
            job.end_if_done()
        if then is not None:
            then()


def commit_finished(
    step: Step, outcomes: Sequence[Outcome], adopted: dict[int, list[Adopted]]
) -> None:
    """End the finished items of a batch that goes on; raises `LeaseLost`. Inside a transaction."""
    weights = Item.objects.filter(pk__in=[outcome.key for outcome in outcomes])
    weight = sum(weights.values_list("weight", flat=True))
    job = begin(step, weight)
    if not Step.held(step.lease).update(weight=F("weight") - weight):
        raise LeaseLost
    made = add_results(step, outcomes, adopted)
    end_items(job, step, outcomes, {})
    if step.feeds:
        job.pass_on(step.stage, [outcome.key for outcome in outcomes], made)
    record_end(job, step, outcomes, made, EventKind.STEP_KEPT)


def begin(step: Step, work: float | None = None) -> Job:
    """Lock the job's row first, so that every transaction takes its locks in one order.

    `work`, in estimated seconds, is counted as done, and an event has to follow.
    """
    try:
        if work is not None:
            return Job.objects.locked_with_work(step.job_id, work)
        return Job.objects.locked(step.job_id)
    except Job.DoesNotExist:
        raise LeaseLost from None


def end_items(job: Job, step: Step, outcomes: Sequence[Outcome], keys: Mapping[int, str]) -> None:
    """End what is done, fail what can't be done, and carry over what may be; inside a transaction."""
    outcomes = begin_sending(job, step, outcomes)
    done = [outcome for outcome in outcomes if outcome.done]
    plain = [outcome.key for outcome in done if not outcome.warnings]
    now = timezone.now()
    ended = Item.objects.filter(pk__in=plain, state=ItemState.OPEN).update(
        state=ItemState.SUCCEEDED, finished_at=now, error_code="", error_detail=""
    )
    Job.objects.filter(pk=job.pk).update(items_done=F("items_done") + ended)
    job.items_done += ended
    _keep_keys({outcome.key: keys[outcome.key] for outcome in done if outcome.key in keys})
    items = Item.objects.in_bulk([outcome.key for outcome in outcomes])
    again: list[Item] = []
    for outcome in outcomes:
        item = items[outcome.key]
        if outcome.done and outcome.warnings:
            job.end_item(item, ItemState.SUCCEEDED, warnings=outcome.warnings)
        elif outcome.problem is not None and may_retry(step, outcome.problem):
            again.append(item)
        elif outcome.problem is not None:
            fail_item(job, item, outcome.problem)
    if again:
        problems = {outcome.key: outcome.problem for outcome in outcomes}
        _again(job, step, again, problems[again[0].pk])


def _keep_keys(keys: Mapping[int, str]) -> None:
    if keys:
        cases = [When(pk=pk, then=Value(key)) for pk, key in keys.items()]
        Item.objects.filter(pk__in=keys).update(result_key=Case(*cases))


def may_retry(step: Step, problem: Problem) -> bool:
    """Tell whether a fault may pass: our side's, with tries left."""
    return problem.may_pass and step.attempt < conf.STEP_ATTEMPTS


def _again(job: Job, step: Step, items: list[Item], problem: Problem | None) -> None:
    """Carry the items of a batch whose trouble may pass over to a step of their own."""
    last = Step.objects.filter(job=job, stage=step.stage, kind=step.kind).aggregate(n=Max("seq"))
    seconds = backoff_seconds(step.attempt)
    new = Step.objects.create(
        job=job,
        stage=step.stage,
        kind=step.kind,
        seq=last["n"] + 1,
        lane=step.lane,
        owner_id=step.owner_id,
        state=StepState.READY,
        weight=sum(item.weight for item in items),
        attempt=step.attempt,
        not_before=timezone.now() + timedelta(seconds=seconds),
        needs_memory_bytes=step.needs_memory_bytes,
        checkpoint=step.checkpoint,
        needs_disk_bytes=step.needs_disk_bytes,
    )
    Job.objects.filter(pk=job.pk).update(weight_total=F("weight_total") + new.weight)
    Item.objects.filter(pk__in=[item.pk for item in items]).update(step=new)
    text = sentence(problem.code, {"name": items[0].name, **problem.values}) if problem else ""
    job.record(
        EventKind.STEP_RETRY, label=new.label, seconds=round(seconds), text=text, step=new.pk
    )
    job.ring_lanes()


def backoff_seconds(attempt: int) -> float:
    """Return the pause before the next try: 5 s × 2ⁿ up to 10 minutes, ± 20 %."""
    spread = random.uniform(0.8, 1.2)
    return float(min(600.0, 5.0 * 2 ** max(0, attempt - 1)) * spread)


def fail_item(job: Job, item: Item, problem: Problem) -> None:
    """Fail one item with its reason; its other parts are called off."""
    values = {"name": item.name, **problem.values}
    if not job.end_item(
        item, ItemState.FAILED, code=problem.code, values=values, detail=problem.detail
    ):
        return
    waiting = Step.objects.filter(item=item, state__in=[StepState.PENDING, StepState.READY])
    spared = sum(waiting.values_list("weight", flat=True))
    waiting.update(state=StepState.CANCELLED, finished_at=timezone.now())
    job.spare(spared + job.ahead_of(item))
    job.record(
        EventKind.ITEM_FAILED,
        name=item.name,
        position=item.position,
        code=problem.code,
        text=sentence(problem.code, values),
    )


def record_end(
    job: Job,
    step: Step,
    outcomes: Sequence[Outcome],
    made: dict[int, list[Result]],
    told: EventKind = EventKind.STEP_DONE,
) -> None:
    """Record what items said and made, for pages and the log; last in the transaction."""
    names = _names(outcomes) if outcomes else {}
    for outcome in outcomes:
        for level, text in outcome.lines:
            kind = EventKind.WARNING if level == "warning" else EventKind.LOG
            job.record(kind, text=f"{names[outcome.key]}: {text}")
    seconds = (timezone.now() - step.started_at).total_seconds() if step.started_at else 0
    body: dict[str, Any] = {
        "step": step.pk,
        "label": step.label,
        "seconds": max(0, round(seconds, 1)),
    }
    if not (step.kind == StepKind.WORK and step.item_id):
        body["items"] = [
            shown_item(names[outcome.key], made.get(outcome.key, []))
            for outcome in outcomes
            if outcome.done
        ]
    body["count"] = sum(outcome.done for outcome in outcomes)
    job.record(told, **body)


def _names(outcomes: Sequence[Outcome]) -> dict[int, str]:
    items = Item.objects.filter(pk__in=[outcome.key for outcome in outcomes])
    return dict(items.values_list("pk", "name"))


def commit_failure(step: Step, error: TidemillError) -> None:
    """Put a failed step back after a pause, or fail it and what it carries, for good."""
    problem = Problem(
        error.code,
        {key: str(value) for key, value in error.values.items() if key != "detail"},
        "step",
        str(error.values.get("detail", "")),
    )
    with transaction.atomic():
        job = begin(step)
        if ends_with_its_items(step):
            return
        if may_retry(step, problem):
            seconds = backoff_seconds(step.attempt)
            keep_checkpoint(step)
            if not Step.postpone(step.lease, seconds=seconds, error=str(error)):
                raise LeaseLost
            job.record(
                EventKind.STEP_RETRY,
                label=step.label,
                seconds=round(seconds),
                text=error.text,
                step=step.pk,
            )
            job.end_if_done()
            job.ring_lanes()  # who waits for work has yet to hear of the next try's time
            return
        if not Step.end(step.lease, StepState.FAILED, str(error)):
            raise LeaseLost
        fail_step(job, step, problem)


def fail_step(job: Job, step: Step, problem: Problem) -> None:
    """Fail everything that an ended step carried; inside its transaction."""
    items = carried(step)
    name = items[0].name if items else job.name
    job.record(
        EventKind.STEP_FAILED,
        label=step.label,
        step=step.pk,
        text=sentence(problem.code, {"name": name, **problem.values}),
    )
    for item in items:
        fail_item(job, item, problem)
    # What a plan would have planned counts by its items; an e-mail counts nothing.
    if step.kind != StepKind.NOTIFY:
        is_plan = step.kind == StepKind.PLAN
        job.spare(sum(item.weight for item in items) if is_plan else step.weight)
    job.end_if_done()
    job.settle()


def keep_checkpoint(step: Step) -> None:
    """Write down where a step that is put back goes on; inside the transaction that does so."""
    if step.checkpoint is not None:
        Step.held(step.lease).update(checkpoint=step.checkpoint)
