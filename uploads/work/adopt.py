"""Adopt: a step's files go to their final keys, and their rows into the commit's transaction.

A key holds the lease's token, so two tries of a step never share one, and a
late worker can only remove its own.
"""

import logging
import mimetypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Max

from uploads.models import Item, Result, Step
from uploads.models.result import BETWEEN, WITHIN
from uploads.sniff import sniff
from uploads.states import StepKind
from uploads.storage import store
from uploads.work.called import Names
from uploads.work.outcome import Made, Outcome

log = logging.getLogger("tidemill.work")

KEEP_SECONDS = 1.0


@dataclass(frozen=True)
class Adopted:
    """A file at its final key, not yet referred to by a row."""

    made: Made
    key: str
    size_bytes: int
    sha256: str
    media_type: str


def adopt(
    step: Step, outcomes: Sequence[Outcome], keep: Callable[[], None]
) -> dict[int, list[Adopted]]:
    """Move the files of finished items into the store, durably; return them by item.

    `keep` renews the lease meanwhile. A full disk raises `OSError`; what was adopted by then is discarded.
    """
    adopted: dict[int, list[Adopted]] = {}
    position = 0
    kept_at = monotonic()
    try:
        for outcome in outcomes:
            if not outcome.done:
                continue
            files = adopted.setdefault(outcome.key, [])
            for made in outcome.made:
                folder = f"store/{step.job.key[:2]}/{step.job.key}/{step.pk}-{step.lease_token}"
                key = f"{folder}/{position}{made.path.suffix.lower()[:12]}"
                size = made.path.stat().st_size
                media_type = _media_type(made, feeds=step.feeds)
                sha256 = _kept(made.path, key, keep)
                files.append(Adopted(made, key, size, sha256, media_type))
                position += 1
                if monotonic() - kept_at >= KEEP_SECONDS:  # thousands of small ones take long, too
                    keep()
                    kept_at = monotonic()
    except BaseException:
        discard(adopted)
        raise
    return adopted


def _kept(path: Path, key: str, keep: Callable[[], None]) -> str:
    """Adopt one file in a thread while the lease is kept; big ones take longer than it lasts."""
    unwanted = Event()
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(store.adopt, path, key, lambda: not unwanted.is_set())
        try:
            while not wait([moving], timeout=KEEP_SECONDS).done:
                keep()
        except BaseException:
            unwanted.set()
            wait([moving])
            store.delete(key)
            raise
        return moving.result()


def discard(adopted: dict[int, list[Adopted]]) -> None:
    """Remove adopted files that no row refers to; left to the sweep while the database is away."""
    keys = {file.key for files in adopted.values() for file in files}
    try:
        wanted = set(
            Result.objects.filter(storage_key__in=keys).values_list("storage_key", flat=True)
        )
    except (OperationalError, InterfaceError) as error:
        log.warning("stored files are left to the sweep: %s", error)
        return
    _delete(sorted(keys - wanted))


def add_results(
    step: Step, outcomes: Sequence[Outcome], adopted: dict[int, list[Adopted]]
) -> dict[int, list[Result]]:
    if not any(adopted.values()):
        return {}
    items = Item.objects.in_bulk([outcome.key for outcome in outcomes])
    part = step.kind == StepKind.WORK and step.item_id is not None
    names = Names(step)
    rows: dict[int, list[Result]] = {}
    # An earlier run of this step may have been stopped after some of its files.
    last = Result.objects.filter(step=step).aggregate(n=Max("position"))["n"]
    position = 0 if last is None else last + 1
    for outcome in outcomes:
        item = items[outcome.key]
        for file in adopted.get(outcome.key, []):
            rows.setdefault(outcome.key, []).append(
                Result(
                    job_id=step.job_id,
                    item=item,
                    step=step,
                    position=position,
                    name=(file.made.path.name if part else names.of(item, file.made, outcome.made)),
                    made_as=file.made.path.name[:255],
                    relative_path=names.path(item, file.made, outcome.made),
                    role=_role(step, file.made, part=part),
                    storage_key=file.key,
                    size_bytes=file.size_bytes,
                    sha256=file.sha256,
                    media_type=file.media_type,
                    meta=file.made.meta,
                )
            )
            position += 1
    Result.objects.bulk_create([row for group in rows.values() for row in group])
    return rows


def _role(step: Step, made: Made, *, part: bool) -> str:
    if part:
        return "part"
    between = {"result": BETWEEN, "inner": WITHIN} if step.feeds else {}
    return between.get(made.role, made.role)


def _media_type(made: Made, *, feeds: bool) -> str:
    """Return what a file is, by its name; what goes on is looked at as an upload is."""
    if found := made.meta.get("media_type"):
        return str(found)[:100]
    known = {".webp": "image/webp", ".avif": "image/avif", ".vtt": "text/vtt"}
    suffix = made.path.suffix.lower()
    guessed = known.get(suffix) or mimetypes.guess_type(made.path.name)[0]
    return sniff(made.path, made.path.name).media_type if feeds or not guessed else guessed


def drop_parts(step: Step) -> None:
    """Forget the parts once their join is committed; their bytes go after the commit."""
    parts = Result.objects.filter(item=step.item_id, role="part")
    keys = list(parts.values_list("storage_key", flat=True))
    parts.delete()
    transaction.on_commit(lambda: _delete(keys))


def _delete(keys: Sequence[str]) -> None:
    for key in keys:
        store.delete(key)
