"""Pauses from the console: of everything, a lane, or one person's jobs; who holds, and the form's verb."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model

from uploads.errors import RequestError
from uploads.models import Hold
from uploads.models.deeds import steer
from uploads.models.hold import ALL, LANE_WORDS, lane_place, owner_place, place_words
from uploads.models.pulse import LanePulse, lanes

SLOTS = 24
BY_ITSELF = "quota:"  # comes and goes by the quota, not by a person


@dataclass(frozen=True)
class LaneCard:
    """A lane with its hold, if it has one of its own."""

    pulse: LanePulse
    hold: Hold | None
    is_held: bool

    @property
    def place(self) -> str:
        return lane_place(self.pulse.lane)

    @property
    def words(self) -> str:
        return LANE_WORDS.get(self.pulse.lane, "")

    @property
    def slots(self) -> list[str]:
        """Return a mark for every worker, at most 24: busy or idle."""
        count = min(SLOTS, max(self.pulse.workers, self.pulse.running))
        return ["busy" if place < self.pulse.running else "idle" for place in range(count)]


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
    """Return every lane with its hold."""
    found = lanes() if found is None else found
    by_place = {row.place: row for row in (holds() if held is None else held)}
    return [
        LaneCard(
            pulse,
            by_place.get(lane_place(pulse.lane)),
            ALL in by_place or lane_place(pulse.lane) in by_place,
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
