"""Presets of one's own for scripts: keep, share, use in a job by their ids."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from uploads.models import SavedPreset
from uploads.pages.api.bodies import STAGE
from uploads.pages.api.cursor import QUERY, piece
from uploads.pages.api.door import Door, Verb, answer, json_body
from uploads.pages.api.schemas import listed, ref
from uploads.work.presets import find_preset, keep_shared, shared

BODY = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "stages": {"type": "array", "items": STAGE, "minItems": 1},
        "names": {"type": "string", "description": "A pattern, as in a job."},
    },
    "required": ["name", "stages"],
    "additionalProperties": False,
}


def presets_json(presets: Sequence[SavedPreset]) -> list[dict[str, Any]]:
    return [
        {"id": preset.key, **shared(preset), "created_at": preset.created_at.isoformat()}
        for preset in presets
    ]


def list_presets(request: HttpRequest) -> HttpResponse:
    return piece(request, SavedPreset.objects.visible_to(request.user), presets_json)


def keep_preset(request: HttpRequest) -> HttpResponse:
    made = keep_shared(request.user, json_body(request))
    return answer(presets_json([made])[0], status=201)


def show_preset(request: HttpRequest, key: str) -> HttpResponse:
    return answer(presets_json([find_preset(request.user, key)])[0])


def delete_preset(request: HttpRequest, key: str) -> HttpResponse:
    find_preset(request.user, key).delete()
    return HttpResponse(status=204)


DOORS = (
    Door(
        "presets/",
        "presets",
        {
            "GET": Verb(list_presets, "Your own presets", listed("Preset"), query=QUERY),
            "POST": Verb(
                keep_preset,
                "Keep a preset; one of the same name is replaced",
                ref("Preset"),
                status=201,
                body=BODY,
            ),
        },
    ),
    Door(
        "presets/<str:key>/",
        "preset",
        {
            "GET": Verb(show_preset, "One preset, as it can be shared", ref("Preset")),
            "DELETE": Verb(delete_preset, "Delete a preset", status=204),
        },
    ),
)
