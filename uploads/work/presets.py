"""Presets of one's own: kept, read from JSON that somebody shared, and turned into a request."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import SavedPreset, Upload
from uploads.naming import check_pattern
from uploads.operations.options import canonical, fields_of, parse_options
from uploads.operations.registry import find
from uploads.work.submit import StageRequest

Json = dict[str, Any]

NAME_CHARACTERS = 100
SHARED = {"name", "names", "stages"}


def keep(owner: Any, name: str, stages: Sequence[StageRequest], names: str = "") -> SavedPreset:
    """Keep operations with their options under a name; one of the same name is replaced.

    One transaction. Raises `RequestError`: `bad_preset`, `invalid_options`, `bad_names`.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= NAME_CHARACTERS:
        raise RequestError(
            "bad_preset", reason=f"a name of 1 to {NAME_CHARACTERS} letters is needed."
        )
    if not 1 <= len(stages) <= conf.JOB_MAX_OPERATIONS:
        reason = f"it has one to {conf.JOB_MAX_OPERATIONS} operations."
        raise RequestError("bad_preset", reason=reason)
    check_pattern(names)
    plain = [_plain(stage) for stage in stages]
    with transaction.atomic():
        mine = SavedPreset.objects.filter(owner=owner)
        if mine.exclude(name=name).count() >= conf.OWNER_MAX_PRESETS:
            reason = f"you have {conf.OWNER_MAX_PRESETS} already; delete one first."
            raise RequestError("bad_preset", reason=reason)
        values = {"stages": plain, "names": names}
        made, _ = mine.update_or_create(owner=owner, name=name, defaults=values)
        made.files.set(Upload.objects.visible_to(owner).alive().filter(key__in=_files(plain)))
    return made


def _plain(stage: StageRequest) -> Json:
    operation = find(stage.operation)
    options = canonical(parse_options(operation.options, stage.options))
    return {"operation": operation.name, "options": options}


def _files(stages: Sequence[Json]) -> set[str]:
    """Return the keys of the uploads that options name."""
    return {
        str(stage["options"][described.name])
        for stage in stages
        for described in fields_of(find(stage["operation"]).options)
        if described.type == "upload" and stage["options"].get(described.name)
    }


def requested(preset: SavedPreset) -> list[StageRequest]:
    """Return a preset's operations as a request has them."""
    return [StageRequest(stage["operation"], stage["options"]) for stage in preset.stages]


# --- shared as JSON ------------------------------------------------------------------


def shared(preset: SavedPreset) -> Json:
    """Return a preset as others may have it: without the files that only its owner has."""
    return {
        "name": preset.name,
        "names": preset.names,
        "stages": [
            {"operation": stage["operation"], "options": _without_files(stage)}
            for stage in preset.stages
        ],
    }


def _without_files(stage: Json) -> Json:
    try:
        described = fields_of(find(stage["operation"]).options)
    except RequestError:
        return dict(stage["options"])
    files = {field.name for field in described if field.type == "upload"}
    return {name: value for name, value in stage["options"].items() if name not in files}


def keep_shared(owner: Any, given: Any) -> SavedPreset:
    """Keep a preset that somebody shared; raises `RequestError` for what is none."""
    if not isinstance(given, dict) or not set(given) <= SHARED or "stages" not in given:
        raise RequestError("bad_preset", reason="it is no preset that Tidemill has written.")
    stages = given["stages"]
    if not isinstance(stages, list) or not all(_is_stage(stage) for stage in stages):
        raise RequestError("bad_preset", reason="its operations can't be read.")
    requests = [StageRequest(stage["operation"], stage.get("options", {})) for stage in stages]
    return keep(owner, str(given.get("name", "")), requests, str(given.get("names", "")))


def _is_stage(stage: Any) -> bool:
    if not isinstance(stage, Mapping) or not set(stage) <= {"operation", "options"}:
        return False
    options = stage.get("options", {})
    return isinstance(stage.get("operation"), str) and isinstance(options, dict)


def find_preset(user: Any, key: str) -> SavedPreset:
    """Return the user's preset of this key; raises `not_found` for anybody else's."""
    preset = SavedPreset.objects.visible_to(user).filter(key=key).first()
    if preset is None:
        raise RequestError("not_found")
    return preset
