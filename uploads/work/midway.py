"""Midway: a step that is stopped keeps what it has finished, and goes on from there.

A batch keeps its finished items: they are committed together with its end.
Inside one item only the operation knows where it could go on; what it said
last (`step.checkpoint`) lies in the step's row for its next run, whether the
server stopped, its worker died or an error is tried again. Of files nothing
is kept: a scratch folder lives as long as its lease.
"""

import time
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from uploads.conf import conf
from uploads.errors import Cancelled
from uploads.models import Step
from uploads.work.adopt import Adopted, adopt, discard
from uploads.work.commit import commit_finished, may_retry
from uploads.work.lease import Grip, Released
from uploads.work.outcome import Outcome
from uploads.work.unfinished import commit_cancel, commit_release

KEEP_SECONDS = 3.0  # of the eight that a cancel may take


class Patience:
    """Keeps the lease while finished files are adopted, and hears wishes only after a while.

    A stop leaves half of the drain for it: what is finished shall not be made again. A cancel
    leaves `cancel_seconds`. Raises what `Grip.tick` raises.
    """

    def __init__(self, grip: Grip, cancel_seconds: float = 0.0) -> None:
        self._grip = grip
        self._cancel_seconds = cancel_seconds
        self._since: float | None = None

    def __call__(self) -> None:
        try:
            self._grip.tick()
        except (Cancelled, Released) as wish:
            now = time.monotonic()
            self._since = now if self._since is None else self._since
            cancelled = isinstance(wish, Cancelled)
            patience = self._cancel_seconds if cancelled else conf.DRAIN_SECONDS / 2
            if now - self._since >= patience:
                raise
            self._grip.keep()


def stop_midway(
    step: Step, grip: Grip, outcomes: Sequence[Outcome], wish: Cancelled | Released
) -> None:
    """Commit the items that a stopped batch has finished, and its own end with them."""
    finished = [] if step.item_id else [outcome for outcome in outcomes if _is_final(step, outcome)]
    adopted = adopt(step, finished, Patience(grip, KEEP_SECONDS))
    try:
        grip.insist(lambda: _commit(step, finished, adopted, wish))
    except BaseException:
        discard(adopted)
        raise


def _is_final(step: Step, outcome: Outcome) -> bool:
    failed = outcome.problem is not None and not may_retry(step, outcome.problem)
    return outcome.done or failed


def _commit(
    step: Step,
    finished: Sequence[Outcome],
    adopted: dict[int, list[Adopted]],
    wish: Cancelled | Released,
) -> None:
    with transaction.atomic():
        if finished:
            commit_finished(step, finished, adopted)
        if isinstance(wish, Cancelled):
            commit_cancel(step)
        else:
            commit_release(step)


def save(grip: Grip, item: int, version: int, state: dict[str, Any]) -> None:
    """Remember what an operation says about where its item could go on."""
    grip.save({"item": item, "version": version, "state": state})


def saved_for(step: Step, item: int, version: int) -> dict[str, Any] | None:
    """Return the state saved for this item by this version of the operation, or None."""
    found = step.checkpoint or {}
    fits = found.get("item") == item and found.get("version") == version
    return found["state"] if fits else None
