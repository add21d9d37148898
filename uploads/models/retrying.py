"""A job's verb to do again what failed or was cancelled, and only that."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from uploads.errors import RequestError
from uploads.models.chaining import BATCH, seconds_ahead
from uploads.models.event import EventKind
from uploads.models.item import Item
from uploads.models.result import BETWEEN, WITHIN, Result
from uploads.models.stage import Stage
from uploads.models.step import Step
from uploads.states import ItemState, JobState, StepKind, StepState, UploadState
from uploads.storage import store

if TYPE_CHECKING:
    from uploads.models.job import Job

Options = Mapping[str, Any]


def retry(
    job: "Job",
    actor: str,
    places: Collection[str] = (),
    options: Mapping[int, Options] | None = None,
) -> int:
    """Do the failed and cancelled items again, and only those; return how many.

    `places` chooses among them; empty means all. `options` are those that items have
    otherwise this time, by the position of their stage.
    Parts of an item that succeeded are kept; an item whose file is gone stays as it is.
    In a chain each goes on at the operation that failed, and what takes all results at
    once is done anew.
    One transaction, guarded by the end. Raises `RequestError` (`conflict`) when nothing
    can be done again.
    """
    with transaction.atomic():
        locked = job.locked()
        if not locked.retryable:
            raise RequestError("conflict", reason="there is nothing to retry.")
        items = [item for item in _doable(locked) if not places or item.place in places]
        if not items:
            raise RequestError("conflict", reason="the files are no longer here.")
        if options:
            _change(items, options)
        anew = _done_anew(locked, items)
        items = _kept(items, anew, options or {})
        _reopen(locked, [*items, *anew])
        for stage in locked.stages.all():
            if stage.items.unplanned().exists() and not (stage.takes_all and stage.position):
                locked.add_plan_step(stage)
        if locked.is_chain:
            locked.gather()
        locked.record(EventKind.RETRIED, actor=actor, items=len(items))
        locked.ring_lanes()
    job.refresh_from_db()
    return len(items)


def _doable(job: "Job") -> list[Item]:
    """Return the ended items that are not done and whose files are here."""
    ended = job.items.filter(state__in=[ItemState.FAILED, ItemState.CANCELLED])
    here = Q(upload__state=UploadState.COMPLETE) | Q(stage__position__gt=0)
    if not job.inputs.exclude(upload__state=UploadState.COMPLETE).exists():
        here |= Q(upload=None)
    return list(ended.filter(here).select_related("stage"))


def _change(items: Iterable[Item], options: Mapping[int, Options]) -> None:
    """Give the items of some stages other options; what was made with the old ones goes."""
    changed = []
    for item in items:
        usual = item.stage.options
        wished = {**item.options, **options.get(item.stage.position, {})}
        own = {name: value for name, value in wished.items() if value != usual.get(name)}
        if own != item.options:
            item.options = own
            changed.append(item)
    keys = [item.pk for item in changed]
    Item.objects.bulk_update(changed, ["options"], batch_size=BATCH)
    for some in (keys[start : start + BATCH] for start in range(0, len(keys), BATCH)):
        _forget(Result.objects.filter(step__item__in=some))
        Step.objects.filter(item__in=some).delete()


def _done_anew(job: "Job", items: Iterable[Item]) -> list[Item]:
    """Return the items that take all results, of stages after these: they get more now.

    What they had made goes, and every item that followed from it.
    """
    first = min(item.stage.position for item in items)
    known = {item.pk for item in items}
    later = job.items.filter(stage__takes_all=True, stage__position__gt=first)
    anew = [item for item in later.select_related("stage") if item.pk not in known]
    if not anew:
        return []
    place = min(item.stage.position for item in anew)
    _forget(job.results.filter(item__stage__position__gte=place))
    passing = job.items.filter(stage__position__gt=place, stage__takes_all=False)
    for state, counter in COUNTERS.items():
        gone = passing.filter(state=state).count()
        setattr(job, counter, getattr(job, counter) - gone)
        job.items_total -= gone
    Step.objects.filter(job=job, stage__position__gte=place).exclude(kind=StepKind.NOTIFY).delete()
    passing.delete()
    # What the next operation could not take, and was kept for that, is asked again.
    before = job.results.filter(item__stage__position=place - 1)
    before.filter(role="result").update(role=BETWEEN)
    before.filter(role="inner").update(role=WITHIN)
    return [item for item in anew if item.stage.position >= place]


def _kept(items: list[Item], anew: Sequence[Item], options: Mapping[int, Options]) -> list[Item]:
    """Return the items that did not go with what is done anew; others follow in their place.

    These have the options of their operation, which are then the other ones.
    """
    if not anew:
        return items
    place = min(item.stage.position for item in anew)
    kept = [item for item in items if item.stage.position <= place or item.stage.takes_all]
    for stage in {item.stage_id: item.stage for item in items if item not in kept}.values():
        own = {**stage.options, **options.get(stage.position, {})}
        Stage.objects.filter(pk=stage.pk).update(options=own)
    return kept


COUNTERS = {
    ItemState.SUCCEEDED: "items_done",
    ItemState.FAILED: "items_failed",
    ItemState.CANCELLED: "items_cancelled",
}


def _forget(results: Any) -> None:
    """Delete results; bytes that nobody shares go after the commit."""
    keys = results.forget()
    transaction.on_commit(lambda: _delete(keys))


def _delete(keys: Iterable[str]) -> None:
    for key in keys:
        store.delete(key)


def _reopen(job: "Job", items: list[Item]) -> None:
    keys = [item.pk for item in items]
    # Letters were written before their sending failed: both are done anew, of all who have none.
    _forget(Result.objects.filter(item__in=keys).exclude(role="part"))
    parts = job.steps.filter(item__in=keys)
    single = parts.filter(kind=StepKind.NOTIFY, state=StepState.READY)
    single.update(state=StepState.CANCELLED, finished_at=timezone.now())
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
    Item.objects.filter(pk__in=keys).update(result_key="", twin=None)
    for item in items:
        counter = COUNTERS[ItemState(item.state)]
        setattr(job, counter, getattr(job, counter) - 1)
    rest = parts.filter(state__in=[StepState.READY, StepState.PENDING])
    stages = list(job.stages.order_by("position"))
    job.weight_total = (
        job.weight_done
        + sum(item.weight for item in items if item.pk not in divided)
        + sum(rest.values_list("weight", flat=True))
        + sum(seconds_ahead(stages, item.stage.position, item.size_bytes) for item in items)
    )
    job.state = JobState.QUEUED
    job.cancel_requested_at = job.finished_at = job.settled_at = job.expires_at = None
    job.error_code, job.error_values = "", {}
    job.save()
