"""Reuse: an item whose very work was done before takes its results over instead of being planned.

The bytes are shared: a file goes when the last row that refers to it goes. Owners never share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import F, Max

from uploads.errors import LeaseLost
from uploads.models import EventKind, Item, Job, Result, Step, Upload
from uploads.models.result import BETWEEN, WITHIN
from uploads.operations import Operation
from uploads.sniff import sniff
from uploads.states import ItemState
from uploads.storage import store
from uploads.work.adopt import Adopted, add_results
from uploads.work.commit import begin, end_items, record_end
from uploads.work.fingerprints import (
    ROWS_AT_ONCE,
    Files,
    Reading,
    comparable,
    files_of,
    keys_of,
    unread,
    write_down,
)
from uploads.work.lease import Grip
from uploads.work.outcome import Made, Outcome

ROLES = {BETWEEN: "result", WITHIN: "inner"}


@dataclass
class Found:
    """Items whose work was done before: by item its key, its twin, and the twin's files."""

    keys: dict[int, str] = field(default_factory=dict)
    twins: dict[int, Item] = field(default_factory=dict)
    files: dict[int, list[Result]] = field(default_factory=dict)


def take_over(
    step: Step, grip: Grip, operation: Operation[Any], items: Sequence[Item]
) -> list[Item]:
    """End the items of a plan whose results exist already; return those that have to be done.

    Some hundred in one transaction; killed in between, the rest is looked up again. A
    sample is always done: it foretells how long the whole job takes.
    """
    if not comparable(operation) or step.job.is_sample or step.job.is_anew:
        return list(items)
    ended: set[int] = set()
    for some in _chunks(items):
        grip.tick()
        files = files_of(step, some)
        _read_likely(step, grip, files)
        found = _find(keys_of(step, operation, some, files))
        if found.twins:
            ended |= grip.insist(lambda found=found, some=some: _commit(step, some, found))  # type: ignore[misc]
    return [item for item in items if item.pk not in ended]


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + ROWS_AT_ONCE] for start in range(0, len(items), ROWS_AT_ONCE))


def _read_likely(step: Step, grip: Grip, files: Mapping[int, Files]) -> None:
    """Read those files that are as long as one whose digest is known; another can't be the same."""
    new = unread(files.values())
    lengths = {upload.length for upload in new}
    known = Upload.objects.filter(owner=step.job.owner_id, length__in=lengths).exclude(sha256="")
    likely = set(known.values_list("length", flat=True))
    with Reading([upload for upload in new if upload.length in likely]) as reading:
        digests = reading.finish(grip.tick)
    if digests:
        grip.insist(lambda: write_down(digests))


def _find(keys: dict[int, str]) -> Found:
    """Return whose results there are; of equal ones the newest, which stay the longest."""
    done = Item.objects.filter(result_key__in=set(keys.values()), state=ItemState.SUCCEEDED)
    newest = done.order_by().values("result_key").annotate(newest=Max("pk"))
    known = Item.objects.in_bulk([row["newest"] for row in newest])
    twins = {item.result_key: item for item in known.values()}
    found = Found(keys, {pk: twins[key] for pk, key in keys.items() if key in twins})
    files = _files({twin.pk for twin in found.twins.values()})
    found.twins = {pk: twin for pk, twin in found.twins.items() if _whole(files.get(twin.pk, []))}
    found.files = {pk: files[twin.pk] for pk, twin in found.twins.items()}
    return found


def _files(items: set[int], *, lock: bool = False) -> dict[int, list[Result]]:
    rows = Result.objects.filter(item__in=items).exclude(role="part").order_by("pk")
    if lock:  # who removes them meanwhile waits, and then sees that they are shared
        rows = rows.select_for_update(of=("self",))
    files: dict[int, list[Result]] = {}
    for row in rows:
        files.setdefault(row.item_id or 0, []).append(row)
    return files


def _whole(files: Sequence[Result]) -> bool:
    """Tell whether all that an item made is known by its first name and still here."""
    return bool(files) and all(file.made_as and _is_here(file) for file in files)


def _is_here(file: Result) -> bool:
    try:
        return store.path(file.storage_key).stat().st_size == file.size_bytes
    except FileNotFoundError:
        return False


def _commit(step: Step, items: Sequence[Item], found: Found) -> set[int]:
    """End items with the results of their twins; return which. Raises `LeaseLost`."""
    with transaction.atomic():
        job = begin(step)
        if not Step.held(step.lease).exists():
            raise LeaseLost
        still = _files({twin.pk for twin in found.twins.values()}, lock=True)
        mine = [i for i in items if i.pk in found.twins and _same(found, i.pk, still)]
        if not mine:
            return set()
        outcomes = [_outcome(item, found) for item in mine]
        adopted = {o.key: _adopted(step, o, found.files[o.key]) for o in outcomes}
        made = add_results(step, outcomes, adopted)
        for item in mine:
            item.twin, item.result_key = found.twins[item.pk], found.keys[item.pk]
        Item.objects.bulk_update(mine, ["twin", "result_key"])
        weight = sum(item.weight for item in mine)
        Job.objects.filter(pk=job.pk).update(weight_total=F("weight_total") - weight)
        end_items(job, step, outcomes, {})
        if step.feeds:
            job.pass_on(step.stage, [outcome.key for outcome in outcomes], made)
        record_end(job, step, outcomes, made, EventKind.REUSED)
    return {item.pk for item in mine}


def _same(found: Found, item: int, still: dict[int, list[Result]]) -> bool:
    now = still.get(found.twins[item].pk, [])
    return [row.pk for row in now] == [row.pk for row in found.files[item]]


def _outcome(item: Item, found: Found) -> Outcome:
    files = found.files[item.pk]
    made = [Made(Path(f.made_as), ROLES.get(f.role, f.role), f.meta) for f in files]
    lines = [("warning", text) for text in found.twins[item.pk].warnings]
    return Outcome(item.pk, started=True, done=True, made=made, lines=lines)


def _adopted(step: Step, outcome: Outcome, files: Sequence[Result]) -> list[Adopted]:
    return [
        Adopted(made, file.storage_key, file.size_bytes, file.sha256, _media_type(step, file))
        for made, file in zip(outcome.made, files, strict=True)
    ]


def _media_type(step: Step, file: Result) -> str:
    """Return what a file is; what goes on now, and did not then, is looked at as an upload is."""
    looked_at = file.role in ROLES or not step.feeds or file.meta.get("media_type")
    return (
        file.media_type
        if looked_at
        else sniff(store.path(file.storage_key), file.made_as).media_type
    )
