"""The record of what staff did: one row of Django's log for every command; holds and limits set with one."""

from typing import Any

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, QuerySet

from uploads.models.hold import Hold, lane_place, owner_place, place_words
from uploads.models.holding import hold, lift, limit
from uploads.models.job import Job
from uploads.models.lane_limit import LaneLimit
from uploads.models.staff import may_hold

SHOWN = 30


def note(
    user: Any,
    command: str,
    result: str,
    *,
    about: type[Model] = Job,
    key: str = "",
    name: str = "",
    is_deletion: bool = False,
) -> LogEntry:
    """Write down who did what to which thing, and what came of it, as `Cancel: done.`

    In the command's own transaction a row says exactly what became true.
    """
    return LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(about),
        object_id=key,
        object_repr=name[:200],
        action_flag=DELETION if is_deletion else CHANGE,
        change_message=f"{command}: {result}",
    )


def of_job(job: Job) -> QuerySet[LogEntry]:
    """Return what staff did to this job, the newest first."""
    kind = ContentType.objects.get_for_model(Job)
    rows = LogEntry.objects.filter(content_type=kind, object_id=job.key)
    return rows.select_related("user").order_by("-pk")[:SHOWN]


def steer(user: Any, place: str, name: str, *, going_on: bool) -> bool:
    """Hold a place as staff, or lift its hold, and write it down; False when it was so already.

    One transaction. Raises `RequestError` (`bad_request`) for an unknown place.
    """
    with transaction.atomic():
        changed = lift(place) if going_on else hold(place, user.get_username())
        if changed:
            note(user, "Resume" if going_on else "Pause", "done.", about=Hold, key=place, name=name)
    return changed


def bound(user: Any, lane: str, most: int | None) -> bool:
    """Limit how many steps of a lane run at once as staff, and write it down; False when it was so.

    `most` is None for no limit. One transaction. Raises `RequestError` (`bad_request`)
    for an unknown lane or a limit that is none.
    """
    with transaction.atomic():
        changed = limit(lane, most, user.get_username())
        if changed:
            result = "none." if most is None else f"at most {most} at once."
            name = place_words(lane_place(lane))
            note(user, "Limit", result, about=LaneLimit, key=lane, name=name)
    return changed


def resume_own(user: Any) -> None:
    """Lift the hold on a person's own jobs; what staff have set, staff alone lift, on record.

    Raises `RequestError` (`forbidden`) for all others.
    """
    place = owner_place(user.pk)
    if may_hold(user) and Hold.objects.filter(place=place, by_staff=True).exists():
        steer(user, place, place_words(place, user.get_username()), going_on=True)
    else:
        lift(place, by_staff=False)
