"""The verbs of holds and of lanes' limits: pause work and go on; let fewer or more steps run at once.

Steps that run end; nothing that is held, or above a limit, is claimed, by no host.
"""

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from uploads import bell
from uploads.errors import RequestError
from uploads.models.hold import ALL, Hold, lane_place
from uploads.models.job import Job
from uploads.models.lane_limit import LaneLimit, checked, known_lane
from uploads.models.step import Step
from uploads.states import OPEN_STEP_STATES, Lane

OF_PERSON = ("owner", "quota")
COMMON_PLACES = (ALL, *(lane_place(lane.value) for lane in Lane))


def hold(place: str, actor: str, *, by_staff: bool = True) -> bool:
    """Claim nothing of this place any more; False when it is held already.

    Idempotent, one transaction. Staff take over a hold that its owner has set.
    Raises `RequestError` (`bad_request`) for an unknown place.
    """
    owner_id = _owner_of(place)
    fresh = {"held_by": actor, "held_at": timezone.now(), "by_staff": by_staff}
    kind = {"owner_id": owner_id, "spares_begun": place.startswith("quota:")}
    with transaction.atomic():
        _row, changed = Hold.objects.get_or_create(place=place, defaults={**kind, **fresh})
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


def limit(lane: str, most: int | None, actor: str) -> bool:
    """Let at most so many steps of a lane run at once, None: as many as there are workers.

    False when it is so already. One transaction; the lane is woken after the commit.
    Raises `RequestError` (`bad_request`) for an unknown lane or a limit that is none.
    """
    name = known_lane(lane)
    rows = LaneLimit.objects.filter(lane=name)
    fresh = {"set_by": actor, "set_at": timezone.now()}
    with transaction.atomic():
        if most is None:
            changed = bool(rows.delete()[0])
        else:
            wanted = {"max_inflight": checked(most), **fresh}
            _row, changed = LaneLimit.objects.get_or_create(lane=name, defaults=wanted)
            if not changed:
                changed = bool(rows.exclude(max_inflight=most).update(**wanted))
        if changed:
            _touch(lane_place(name))
            transaction.on_commit(lambda: bell.ring(bell.WORK, name))
    return changed


def _owner_of(place: str) -> int | None:
    """Return whose jobs a place means, None for places of everybody."""
    if place in COMMON_PLACES:
        return None
    kind, _, number = place.partition(":")
    people = get_user_model().objects
    if kind in OF_PERSON and number.isdecimal() and people.filter(pk=int(number)).exists():
        return int(number)
    raise RequestError("bad_request", reason=f"there is no “{place[:60]}” to pause.")


def _touch(place: str) -> None:
    """Count a change that the pages of all jobs concerned show; one statement, one ring."""
    jobs: QuerySet[Job] = Job.objects.unfinished()
    kind, _, name = place.partition(":")
    if kind in OF_PERSON:
        jobs = jobs.filter(owner=int(name))
    elif kind == "lane":
        steps = Step.objects.filter(job=OuterRef("pk"), lane=name, state__in=OPEN_STEP_STATES)
        jobs = jobs.filter(Exists(steps))
    if connection.vendor == "postgresql":
        # In the order of their numbers, as everybody locks several jobs.
        list(jobs.order_by("pk").select_for_update().values_list("pk"))
    if jobs.update(seq=F("seq") + 1):
        transaction.on_commit(lambda: bell.ring(bell.JOB))
