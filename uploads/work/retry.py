"""Retry with other options: what failed is done again, otherwise than before."""

from collections.abc import Collection, Mapping
from typing import Any

from uploads.errors import RequestError
from uploads.models import Job
from uploads.operations.registry import find
from uploads.states import ItemState
from uploads.work.overrides import checked


def retry_with(
    job: Job,
    actor: str,
    places: Collection[str] = (),
    *,
    options: Mapping[str, Any] | None = None,
    stage: int | None = None,
) -> int:
    """Do the failed and cancelled items again, with other options of one of the operations.

    `stage` is its place in the chain; without it that at which items failed, if it is one.
    Raises `RequestError` as `Job.retry` does, and `invalid_options`.
    """
    if not options:
        return job.retry(actor, places)
    failed = job.items.filter(state__in=[ItemState.FAILED, ItemState.CANCELLED])
    chosen = [i for i in failed.select_related("stage") if not places or i.place in places]
    known = {item.stage.position: item.stage for item in chosen}
    place = stage if stage is not None else min(known, default=0)
    if place not in known:
        raise RequestError("conflict", reason="nothing failed at that operation.")
    wanted = known[place]
    changed = checked(find(wanted.operation), wanted.options, options, "The new options")
    return job.retry(actor, places, {place: changed})
