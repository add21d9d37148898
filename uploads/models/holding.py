"""The verbs of holds: pause all work, a lane or one person's jobs, and go on.

Steps that run end; nothing that is held is claimed, by no host, until it is lifted.
"""

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from uploads import bell
from uploads.errors import RequestError
from uploads.models.hold import ALL, Hold, lane_place
from uploads.models.job import Job
from uploads.models.step import Step
from uploads.states import OPEN_STEP_STATES, Lane

COMMON_PLACES = (ALL, *(lane_place(lane.value) for lane in Lane))


def hold(place: str, actor: str, *, by_staff: bool = True) -> bool:
    """Claim nothing of this place any more; False when it is held already.

    Idempotent, one transaction. Staff take over a hold that its owner has set.
    Raises `RequestError` (`bad_request`) for an unknown place.
    """
    owner_id = _owner_of(place)
    fresh = {"held_by": actor, "held_at": timezone.now(), "by_staff": by_staff}
    with transaction.atomic():
        _row, changed = Hold.objects.get_or_create(
            place=place, defaults={"owner_id": owner_id, **fresh}
        )
        if not changed and by_staff:
            changed = bool(Hold.objects.filter(place=place, by_staff=False).update(**fresh))
        if changed:
            _touch(place)
    return changed


def lift(place: str, *, by_staff: bool = True) -> bool:
    """Claim steps of this place again; False when it is not held.

    Idempotent, one transaction; the lanes are woken after the commit. Raises
    `RequestError` (`forbidden`) when staff hold it and somebody else lifts it.
    """
    with transaction.atomic():
        found = Hold.objects.filter(place=place)
        if not by_staff and found.filter(by_staff=True).exists():
            raise RequestError("forbidden")
        deleted, _ = found.delete()
        if not deleted:
            return False
        _touch(place)
        for lane in Lane:
            transaction.on_commit(lambda lane=lane: bell.ring(bell.WORK, lane))  # type: ignore[misc]
    return True


def _owner_of(place: str) -> int | None:
    """Return whose jobs a place means, None for places of everybody."""
    if place in COMMON_PLACES:
        return None
    kind, _, number = place.partition(":")
    people = get_user_model().objects
    if kind == "owner" and number.isdecimal() and people.filter(pk=int(number)).exists():
        return int(number)
    raise RequestError("bad_request", reason=f"there is no “{place[:60]}” to pause.")


def _touch(place: str) -> None:
    """Count a change that the pages of all jobs concerned show; one statement, one ring."""
    jobs: QuerySet[Job] = Job.objects.unfinished()
    kind, _, name = place.partition(":")
    if kind == "owner":
        jobs = jobs.filter(owner=int(name))
    elif kind == "lane":
        steps = Step.objects.filter(job=OuterRef("pk"), lane=name, state__in=OPEN_STEP_STATES)
        jobs = jobs.filter(Exists(steps))
    if connection.vendor == "postgresql":
        # In the order of their numbers, as everybody locks several jobs.
        list(jobs.order_by("pk").select_for_update().values_list("pk"))
    if jobs.update(seq=F("seq") + 1):
        transaction.on_commit(lambda: bell.ring(bell.JOB))
