"""What follows the first operation on the new-job page: each with its choice and its options."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uploads.errors import RequestError
from uploads.operations import Operation
from uploads.operations.registry import find
from uploads.pages.blanks import filled_in
from uploads.pages.forms import OWN, THEN, chosen_options, prefix_of, shown_value
from uploads.pages.offers import Offer, in_order, offer
from uploads.pages.own_presets import MARK
from uploads.work.presets import find_preset
from uploads.work.submit import StageRequest

_FIELD = re.compile(rf"{THEN}(\d{{1,3}})")


@dataclass(frozen=True)
class FollowUp:
    """One operation on the results of the one before; none is chosen yet without an `offer`.

    `place` only tells it apart from the others; they follow in its order.
    """

    place: int
    offer: Offer | None
    operations: list[Operation[Any]]

    @property
    def error_at(self) -> str:
        return f"{THEN}{self.place}"


def follow_up(owner: Any, place: int, wanted: str, data: Any = None) -> FollowUp:
    """Return the choice at one place, with the form of the operation that is chosen there."""
    known = in_order()
    chosen = next((operation for operation in known if operation.name == wanted), None)
    made = offer(chosen, owner, data, wanted, place) if chosen else None
    return FollowUp(place, made, known)


def follow_ups(owner: Any, data: Any, *, one_more: bool = False) -> list[FollowUp]:
    """Return what a form says of the operations that follow, and an empty place if wanted."""
    places = _places(data) if data else []
    found = [follow_up(owner, place, data[f"{THEN}{place}"], data) for place in places]
    if one_more:
        found.append(follow_up(owner, max(places, default=0) + 1, ""))
    return found


def _places(data: Any) -> list[int]:
    found = (_FIELD.fullmatch(name) for name in data)
    return sorted({int(match[1]) for match in found if match} - {0})


def sent_stages(owner: Any, data: Any) -> list[StageRequest]:
    """Return the operations of a posted form in their order, each with its options.

    Raises `RequestError`: `invalid_options` with the `place` of the one that has a fault.
    """
    wanted = data.get("operation", "")
    if wanted.startswith(MARK):
        return filled_in(find_preset(owner, wanted.removeprefix(MARK)), MARK, data)
    operation = find(wanted)
    stages = [StageRequest(operation.name, chosen_options(operation, owner, data))]
    for place in _places(data):
        if name := data[f"{THEN}{place}"]:
            following = find(name)
            options = chosen_options(following, owner, data, place)
            stages.append(StageRequest(following.name, options))
    return stages


def as_sent(stages: list[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return operations with their options as a form would send them."""
    data: dict[str, Any] = {}
    for place, (name, options) in enumerate(stages):
        data |= {f"{THEN}{place}": name} if place else {"operation": name}
        try:
            prefix = prefix_of(find(name), place)
        except RequestError:
            continue
        data |= {f"{prefix}-{option}": shown_value(value) for option, value in options.items()}
        data[f"{prefix}-preset"] = OWN
    return data
