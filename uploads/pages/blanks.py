"""What is filled in each time a preset of one's own is used: the places of its questions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from uploads.errors import RequestError
from uploads.models import SavedPreset
from uploads.operations.options import OptionField, fields_of
from uploads.operations.places import places_in, values_in
from uploads.operations.registry import find
from uploads.work.presets import requested
from uploads.work.submit import StageRequest


@dataclass(frozen=True)
class Blank:
    """One place, such as `day`: the name of its field in the form, and what is in it."""

    field: str
    place: str
    value: str


def blanks(preset: SavedPreset, mark: str, data: Mapping[str, Any] | None = None) -> list[Blank]:
    """Return the places of a preset with the values that it keeps, or those that were sent."""
    found = []
    for number, stage in enumerate(requested(preset)):
        for _, places, kept in _filled(stage):
            for place in places:
                field = f"{mark}{preset.key}-{number}-{place}"
                value = "\n".join(kept.get(place, []))
                found.append(Blank(field, place, data.get(field, value) if data else value))
    return found


def filled_in(preset: SavedPreset, mark: str, data: Mapping[str, Any]) -> list[StageRequest]:
    """Return a preset's operations with the values that a form sent."""
    sent = {blank.field: blank.value for blank in blanks(preset, mark, data)}
    made = []
    for number, stage in enumerate(requested(preset)):
        options = dict(stage.options)
        for field, places, _ in _filled(stage):
            options[field.name] = "\n".join(
                f"{place} = {value.strip()}"
                for place in places
                for value in sent[f"{mark}{preset.key}-{number}-{place}"].splitlines()
            )
        made.append(StageRequest(stage.operation, options))
    return made


def _filled(stage: StageRequest) -> Iterator[tuple[OptionField, list[str], dict[str, list[str]]]]:
    """Yield each option that fills a question, with the places and what it keeps for them."""
    try:
        described = fields_of(find(stage.operation).options)
    except RequestError:  # not installed here
        return
    for field in described:
        if field.fills and (places := places_in(str(stage.options.get(field.fills, "")))):
            try:
                yield field, places, values_in(str(stage.options.get(field.name, "")))
            except RequestError:
                yield field, places, {}
