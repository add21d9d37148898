"""Plan: the arrived items of a stage become weighted steps.

A plan step first takes its items (their `step` is the plan itself), so that
a plan for files that arrive meanwhile never takes them too. Small items are
put together into batches of a few seconds; a divisible item becomes parts on
many workers and one join.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from uploads.conf import conf
from uploads.errors import LeaseLost
from uploads.models import EventKind, Item, Job, Step
from uploads.operations import Operation
from uploads.states import ItemState, StepKind, StepState, UploadState
from uploads.work.commit import fail_item
from uploads.work.outcome import Outcome, Problem

BATCH_MAX_ITEMS = 50
BATCH_LEAST_SECONDS, BATCH_SMALL_SECONDS = 0.2, 1.0  # of few items; at the end of many
BATCH_SHARE = 2 / 3  # of one worker's share of what is left
PLAYLISTS = frozenset(
    {"text/x-ffconcat", "application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/x-mpegurl"}
)


def take(step: Step) -> list[Item]:
    """Bind the arrived, unplanned items of the stage to this plan step and return them."""
    with transaction.atomic():
        try:
            Job.objects.locked(step.job_id)
        except Job.DoesNotExist:
            raise LeaseLost from None
        if not Step.held(step.lease).exists():
            raise LeaseLost
        free = step.stage.items.unplanned()
        if step.stage.position == 0 and not step.stage.takes_all:
            free = free.filter(upload__state=UploadState.COMPLETE)
        free.update(step=step)
    mine = step.stage.items.open().filter(step=step).select_related("upload", "origin")
    return list(mine.order_by("position"))


def unfit(items: Sequence[Item], operation: Operation[Any]) -> dict[int, Problem]:
    """Return the items that the operation can't take, with the reason, by item."""
    problems: dict[int, Problem] = {}
    for item in items:
        source = item.source
        if source is None:
            continue
        if source.size_bytes == 0:
            problems[item.pk] = Problem("empty_file", {}, "input")
        elif source.media_type in PLAYLISTS:
            problems[item.pk] = Problem("playlist_refused", {}, "input")
        elif not operation.accepts_type(source.media_type):
            values = {
                "kind": source.media_type or "of an unknown kind",
                "operation": operation.label,
                "accepts": ", ".join(operation.accepts),
            }
            problems[item.pk] = Problem("unfit_kind", values, "input")
    return problems


def commit_plan(
    step: Step,
    items: Sequence[Item],
    operation: Operation[Any],
    problems: dict[int, Problem],
    outcomes: dict[int, Outcome],
) -> None:
    """Insert the steps of the planned items in one transaction; raises `LeaseLost`.

    `outcomes` holds the parts of each item of a divisible operation.
    """
    with transaction.atomic():
        job = Job.objects.locked(step.job_id)
        if not Step.succeed(step.lease):
            raise LeaseLost
        good = [item for item in items if item.pk not in problems]
        for item in items:
            if item.pk in problems:
                fail_item(job, item, problems[item.pk])
        if operation.divisible:
            steps = _add_parts(step, good, operation, outcomes)
        else:
            steps = _add_batches(step, good, operation)
        job.spare(sum(item.weight for item in items) - sum(made.weight for made in steps))
        if items:  # not where all of them were done before
            job.record(EventKind.PLANNED, items=len(good), steps=len(steps))
        job.end_if_done()
        job.ring_lanes()


def _next_seq(step: Step, kind: StepKind) -> int:
    last = Step.objects.filter(job=step.job_id, stage=step.stage_id, kind=kind)
    highest = last.aggregate(n=Max("seq"))["n"]
    return 0 if highest is None else int(highest) + 1


def _step(plan: Step, operation: Operation[Any], kind: StepKind, seq: int, **values: Any) -> Step:
    return Step(
        job_id=plan.job_id,
        stage_id=plan.stage_id,
        kind=kind,
        seq=seq,
        lane=operation.lane,
        owner_id=plan.owner_id,
        **values,
    )


def _add_batches(plan: Step, items: list[Item], operation: Operation[Any]) -> list[Step]:
    """Insert one work step for each batch and bind its items to it."""
    groups = list(batches(items))
    first = _next_seq(plan, StepKind.WORK)
    steps = Step.objects.bulk_create(
        [
            _step(
                plan,
                operation,
                StepKind.WORK,
                first + number,
                weight=sum(item.weight for item in group),
                needs_memory_bytes=max(operation.needs_memory(item.size_bytes) for item in group),
                needs_disk_bytes=sum(operation.needs_disk(item.size_bytes) for item in group),
            )
            for number, group in enumerate(groups)
        ],
        batch_size=200,
    )
    for step, group in zip(steps, groups, strict=True):
        Item.objects.filter(pk__in=[item.pk for item in group]).update(step=step)
    return steps


def batches(items: Iterable[Item]) -> Iterable[list[Item]]:
    """Put items together until a batch has some seconds of work, ever fewer towards the end.

    A batch is at most two thirds of one worker's share of what is left, so that nobody waits long
    for the last one (guided self-scheduling, Polychronopoulos and Kuck 1987). But each costs the
    start of a process.
    """
    waiting = list(items)
    left = sum(item.weight for item in waiting)
    share = BATCH_SHARE / conf.WORKERS
    least = max(BATCH_LEAST_SECONDS, min(BATCH_SMALL_SECONDS, left * share))
    batch: list[Item] = []
    weight = 0.0
    for item in waiting:
        target = min(conf.STEP_SECONDS, max(least, left * share))
        full = weight + item.weight / 2 > target or len(batch) >= BATCH_MAX_ITEMS
        # A rest that is hardly worth a process goes with the ones before it.
        fits = weight < 2 * target and len(batch) < BATCH_MAX_ITEMS
        if batch and full and not (fits and left - weight <= least / 2):
            yield batch
            left -= weight
            batch, weight = [], 0.0
        batch.append(item)
        weight += item.weight
    if batch:
        yield batch


def _add_parts(
    plan: Step, items: list[Item], operation: Operation[Any], outcomes: dict[int, Outcome]
) -> list[Step]:
    """Insert the parts and the join of each item; the join carries the item."""
    part_seq = _next_seq(plan, StepKind.WORK)
    join_seq = _next_seq(plan, StepKind.JOIN)
    steps: list[Step] = []
    for number, item in enumerate(items):
        parts = outcomes[item.pk].parts
        weight = sum(float(part["weight"]) for part in parts)
        join = _step(
            plan,
            operation,
            StepKind.JOIN,
            join_seq + number,
            item=item,
            state=StepState.PENDING,
            weight=max(0.2, 0.02 * weight),
            **_needs(operation, item.size_bytes, {}),
        )
        join.save()
        Item.objects.filter(pk=item.pk).update(step=join)
        steps.append(join)
        for part in parts:
            steps.append(
                _step(
                    plan,
                    operation,
                    StepKind.WORK,
                    part_seq,
                    item=item,
                    weight=float(part["weight"]),
                    params=part["params"],
                    **_needs(operation, item.size_bytes // len(parts), part),
                )
            )
            part_seq += 1
    Step.objects.bulk_create([made for made in steps if made.pk is None], batch_size=200)
    return steps


def _needs(operation: Operation[Any], size: int, part: dict[str, Any]) -> dict[str, int]:
    """Return what a step needs: as its plan says, else as its operation estimates."""
    memory, disk = part.get("memory_bytes"), part.get("disk_bytes")
    return {
        "needs_memory_bytes": operation.needs_memory(size) if memory is None else int(memory),
        "needs_disk_bytes": operation.needs_disk(size) if disk is None else int(disk),
    }


def _open_before() -> QuerySet[Item]:
    """Return, for an item of a query, the open items of the stages before its own."""
    return Item.objects.open().filter(
        job=OuterRef("job"), stage__position__lt=OuterRef("stage__position")
    )


def add_missing_plans() -> int:
    """Insert plan steps for arrived items that nobody plans; a sweep, safe to repeat."""
    waiting = (
        Item.objects.unplanned()
        .filter(job__finished_at=None, job__cancel_requested_at=None)
        .filter(Q(upload__state=UploadState.COMPLETE) | Q(upload=None))
        .exclude(Q(stage__takes_all=True, stage__position__gt=0) & Exists(_open_before()))
        .order_by()  # the items' own order would make every row distinct
        .values_list("job", "stage")
        .distinct()
    )
    made = 0
    for job_id, stage_id in list(waiting):
        with transaction.atomic():
            job = Job.objects.locked(job_id)
            stage = job.stages.get(pk=stage_id)
            planning = job.steps.filter(
                stage=stage,
                kind=StepKind.PLAN,
                state__in=[StepState.PENDING, StepState.READY, StepState.RUNNING],
            )
            if stage.takes_all and stage.position > 0:
                job.end_if_done()
                continue
            held = stage.takes_all and job.waits_for_files()
            unplanned = stage.items.filter(step=None, state=ItemState.OPEN)
            if held or planning.exists() or not unplanned.exists():
                continue
            job.add_plan_step(stage)
            job.ring_lanes()
            made += 1
    return made
