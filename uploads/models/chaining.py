"""A job's verbs for a chain: what one operation made goes on to the next, or says why it can't.

A stage that takes files one by one gets an item for each result as soon as there is one;
a stage that takes all at once has its item from the start, which waits until nothing
before it is open.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db.models import F

from uploads.errors import RequestError
from uploads.models.event import EventKind
from uploads.models.item import Item, source_of
from uploads.models.result import BETWEEN, WITHIN, Result
from uploads.models.stage import Stage
from uploads.operations import Operation
from uploads.operations.options import parse_options
from uploads.operations.registry import find
from uploads.states import OPEN_STEP_STATES, ItemState, StepKind, StepState

if TYPE_CHECKING:
    from uploads.models.job import Job

NAMED_FILES = 3
BATCH = 500  # SQLite binds a limited number of values


# --- weights -----------------------------------------------------------------------


def operation_of(stage: Stage) -> Operation[Any] | None:
    """Return a stage's operation, None when it is no longer installed."""
    try:
        return find(stage.operation)
    except RequestError:
        return None


def seconds_of(stage: Stage, size_bytes: int) -> float:
    """Return the estimated seconds of one worker for a file of this size."""
    operation = operation_of(stage)
    if operation is None:
        return 1.0
    return operation.estimate(size_bytes, _chosen(stage.operation, json.dumps(stage.options)))


@lru_cache(maxsize=256)
def _chosen(operation: str, options: str) -> Any:
    """Return a stage's options as the operation declares them, None where they no longer fit."""
    try:
        return parse_options(find(operation).options, json.loads(options))
    except RequestError:
        return None


def seconds_ahead(stages: Sequence[Stage], position: int, size_bytes: int) -> float:
    """Return what a file of this size still costs after a stage, up to one that takes all files.

    The item of such a one is there from the start, and counts for what follows it.
    """
    found = 0.0
    for stage in stages[position + 1 :]:
        if stage.takes_all:
            break
        found += seconds_of(stage, size_bytes)
    return found


def ahead_of(job: "Job", item: Item) -> float:
    """Return what an item still costs in the stages after its own, 0 where there are none."""
    if not job.is_chain:
        return 0.0
    stages = list(job.stages.order_by("position"))
    return seconds_ahead(stages, item.stage.position, item.size_bytes)


# --- from one stage to the next ------------------------------------------------------


def pass_on(
    job: "Job", stage: Stage, keys: Sequence[int], made: Mapping[int, Sequence[Result]]
) -> None:
    """Give what items of a stage made to the next one; inside the transaction that ends them.

    `made` holds the results of those that made something, by item; an item that did not
    succeed passes nothing on.
    """
    stages = list(job.stages.order_by("position"))
    done = list(Item.objects.filter(pk__in=keys, state=ItemState.SUCCEEDED))
    weight = -sum(seconds_ahead(stages, stage.position, item.size_bytes) for item in done)
    following = stages[stage.position + 1]
    if not following.takes_all:
        new = _add_items(job, following, done, made)
        weight += sum(
            item.weight + seconds_ahead(stages, following.position, item.size_bytes) for item in new
        )
        job.items_total += len(new)
        # Those of a cancelled job are called off with it, for a retry to find.
        if new and not job.cancel_requested_at and not _is_planned(job, following):
            job.add_plan_step(following)
    type(job).objects.filter(pk=job.pk).update(
        weight_total=F("weight_total") + weight, items_total=job.items_total
    )
    job.ring_lanes()


def _add_items(
    job: "Job", stage: Stage, parents: Sequence[Item], made: Mapping[int, Sequence[Result]]
) -> list[Item]:
    taken = set(stage.items.values_list("position", flat=True))
    free = max(taken, default=-1) + 1
    items: list[Item] = []
    for parent in sorted(parents, key=lambda item: item.position):
        found = [result for result in made.get(parent.pk, []) if result.role == BETWEEN]
        results = _fitting(job, stage, found)
        for result in results:
            # Of each file one: then its number stays the same all along the chain.
            same = len(results) == 1 and parent.position not in taken
            place = parent.position if same else free
            taken.add(place)
            free = max(free, place + 1)
            items.append(
                Item(
                    job=job,
                    stage=stage,
                    position=place,
                    origin=result,
                    name=result.name,
                    relative_path=source_of(result).relative_path,
                    size_bytes=result.size_bytes,
                    weight=seconds_of(stage, result.size_bytes),
                )
            )
    return Item.objects.bulk_create(items, batch_size=BATCH)


def _fitting(job: "Job", stage: Stage, results: Sequence[Result]) -> list[Result]:
    """Return what the stage's operation takes; if that is some of it, the rest are results as they are."""
    operation = operation_of(stage)
    if operation is None:
        return list(results)
    fit = [result for result in results if operation.accepts_type(result.media_type)]
    rest = [result for result in results if not operation.accepts_type(result.media_type)]
    if not fit:
        return list(results)
    if rest:
        keep_as_results(job, operation.label, rest)
    return fit


def keep_as_results(job: "Job", label: str, results: Sequence[Result]) -> None:
    """Let what the next operation can't take be results of the job, and say so in its log."""
    for start in range(0, len(results), BATCH):
        rows = Result.objects.filter(pk__in=[r.pk for r in results[start : start + BATCH]])
        rows.filter(role=BETWEEN).update(role="result")
        rows.filter(role=WITHIN).update(role="inner")
    named = ", ".join(result.name for result in results[:NAMED_FILES])
    more = len(results) - NAMED_FILES
    named += f" and {more} more" if more > 0 else ""
    job.record(EventKind.WARNING, text=f"“{label}” does not take {named}: kept as made before it.")


def _is_planned(job: "Job", stage: Stage) -> bool:
    """Tell whether a plan step is to come that will take new items of the stage as well."""
    waiting = job.steps.filter(stage=stage, kind=StepKind.PLAN)
    return waiting.filter(state__in=[StepState.PENDING, StepState.READY]).exists()


def gather(job: "Job") -> None:
    """Let the next stage that takes all at once begin once nothing before it is open.

    Inside a transaction; safe to repeat. Where nothing came so far its item fails.
    """
    if job.cancel_requested_at or job.is_finished:
        return
    stages = list(job.stages.order_by("position"))
    for stage in stages[1:]:
        item = stage.items.unplanned().first() if stage.takes_all else None
        if item is None:
            continue
        if job.items.open().filter(stage__position__lt=stage.position).exists():
            return
        plans = job.steps.filter(stage=stage, kind=StepKind.PLAN)
        if plans.filter(state__in=OPEN_STEP_STATES).exists():
            return
        if not _begin(job, stages, item):
            continue
        job.add_plan_step(stage)
        job.ring_lanes()
        return


def _begin(job: "Job", stages: Sequence[Stage], item: Item) -> bool:
    """Give the item of a stage that takes all what there is now; False if that is nothing."""
    stage = stages[item.stage.position]
    results = given_to(stages, stage.position)
    fit = _fitting(job, stage, results)
    before = item.weight + seconds_ahead(stages, stage.position, item.size_bytes)
    if not fit:
        job.end_item(item, ItemState.FAILED, code="nothing_came")
        after = 0.0
    else:
        item.size_bytes = sum(result.size_bytes for result in fit)
        item.weight = seconds_of(stage, item.size_bytes)
        item.save(update_fields=["size_bytes", "weight"])
        after = item.weight + seconds_ahead(stages, stage.position, item.size_bytes)
    weight = F("weight_total") + after - before
    type(job).objects.filter(pk=job.pk).update(weight_total=weight)
    return bool(fit)


def given_to(stages: Sequence[Stage], position: int) -> list[Result]:
    """Return what the stage before made for a stage that takes all, in the order of the files sent."""
    order: dict[int, tuple[int, ...]] = {}
    for stage in stages[:position]:
        rows = stage.items.values_list("pk", "position", "origin__item", "origin__position")
        if stage.position == 0 or stage.takes_all:
            order = {pk: (place,) for pk, place, _, _ in rows}
        else:
            passed = rows.exclude(origin=None)
            order = {pk: (*order.get(parent, ()), made) for pk, _, parent, made in passed}
    found = Result.objects.filter(
        item__stage=stages[position - 1],
        item__state=ItemState.SUCCEEDED,
        role__in=[BETWEEN, WITHIN],
    )
    return sorted(found, key=lambda made: (order.get(made.item_id or 0, ()), made.position))


def roots(items: Iterable[Item]) -> dict[int, Item]:
    """Return for each item of a chain the first one that it came from, by their numbers.

    One query for each operation before theirs; what takes all at once comes from nothing else.
    """
    found = {item.pk: item for item in items}
    while above := {pk: i.origin_id for pk, i in found.items() if i.origin_id is not None}:
        made = Result.objects.filter(pk__in=set(above.values())).select_related("item__upload")
        parents = {result.pk: result.item for result in made if result.item}
        found |= {pk: parents[origin] for pk, origin in above.items()}
    return found
