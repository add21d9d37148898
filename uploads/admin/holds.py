"""Pauses and limits from the console: of everything, a lane, or one person's jobs; the forms' verbs."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model

from uploads.errors import RequestError
from uploads.models import Hold, LaneLimit
from uploads.models.deeds import bound, steer
from uploads.models.hold import ALL, LANE_WORDS, lane_place, owner_place, place_words
from uploads.models.lane_limit import LARGEST, read_limit
from uploads.models.pulse import LanePulse, lanes

SLOTS = 24
BY_ITSELF = "quota:"  # comes and goes by the quota, not by a person


@dataclass(frozen=True)
class LaneCard:
    """A lane with its hold and its limit, if it has ones of its own."""

    pulse: LanePulse
    hold: Hold | None
    is_held: bool
    limit: LaneLimit | None

    @property
    def most(self) -> int:
        """Return how many steps can run at once: no more than there are workers."""
        workers = self.pulse.workers
        return min(workers, self.limit.max_inflight) if self.limit else workers

    @property
    def surplus(self) -> int:
        """Return how many running steps must end before another begins, above the limit."""
        return max(0, self.pulse.running - self.limit.max_inflight) if self.limit else 0

    @property
    def largest(self) -> int:
        return LARGEST

    @property
    def place(self) -> str:
        return lane_place(self.pulse.lane)

    @property
    def words(self) -> str:
        return LANE_WORDS.get(self.pulse.lane, "")

    @property
    def slots(self) -> list[str]:
        """Return a mark for every worker, at most 24: busy, idle, or shut by the limit."""
        busy, most = self.pulse.running, self.most
        return [
            "busy" if place < busy else "idle" if place < most else "shut"
            for place in range(min(SLOTS, max(self.pulse.workers, busy)))
        ]


def holds() -> list[Hold]:
    """Return every pause that somebody has set, that of all work first; one query."""
    rows = Hold.objects.exclude(place__startswith=BY_ITSELF).select_related("owner")
    return sorted(rows, key=lambda row: (row.place != ALL, row.place))


def over_quota() -> list[str]:
    """Return whose new jobs wait because their space is used up; one query."""
    rows = Hold.objects.filter(place__startswith=BY_ITSELF).select_related("owner")
    return [row.owner.get_username() for row in rows if row.owner]


def lane_cards(
    found: list[LanePulse] | None = None, held: list[Hold] | None = None
) -> list[LaneCard]:
    """Return every lane with its hold and its limit; one query more."""
    found = lanes() if found is None else found
    limits = {row.lane: row for row in LaneLimit.objects.all()}
    by_place = {row.place: row for row in (holds() if held is None else held)}
    return [
        LaneCard(
            pulse,
            by_place.get(lane_place(pulse.lane)),
            ALL in by_place or lane_place(pulse.lane) in by_place,
            limits.get(pulse.lane),
        )
        for pulse in found
    ]


def place_of(values: Any) -> tuple[str, str]:
    """Return the place that a form means, and its words for the record.

    Raises `RequestError` for a person who is not there.
    """
    name, place = values.get("owner", "").strip(), values.get("place", "")
    if name:
        person = get_user_model().objects.filter(username=name).first()
        if person is None:
            raise RequestError("bad_request", reason=f"there is no user “{name[:60]}”.")
        return owner_place(person.pk), place_words(place, name)
    if place.startswith(BY_ITSELF):
        raise RequestError("bad_request", reason="the quota alone sets and lifts this pause.")
    if place.startswith("owner:"):
        row = Hold.objects.select_related("owner").filter(place=place).first()
        owner = row.owner if row else None
        return place, place_words(place, owner.get_username() if owner else "")
    return place, place_words(place)


def command(user: Any, values: Any) -> tuple[bool, str]:
    """Pause or go on as the form says; return whether it changed anything, and what happened.

    The change is written down with its actor.
    """
    place, words = place_of(values)
    going_on = values.get("do") == "lift"
    changed = steer(user, place, words, going_on=going_on)
    if changed:
        ending = "resumed" if going_on else "paused"
    else:
        ending = f"nothing changed, {'not' if going_on else 'already'} paused"
    return changed, f"{words[0].upper()}{words[1:]}: {ending}."


def limit_command(user: Any, values: Any) -> tuple[bool, str]:
    """Set or lift a lane's limit as the form says; return whether it changed, and what is so now.

    The change is written down with its actor. Raises `RequestError` for what is no limit.
    """
    lane = values.get("lane", "")
    most = None if values.get("do") == "lift" else read_limit(values.get("max_inflight", ""))
    changed = bound(user, lane, most)
    now = "no limit" if most is None else f"at most {most} at once"
    return changed, f"Lane {lane}: {'' if changed else 'nothing changed, '}{now}."
