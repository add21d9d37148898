"""The doors of the API; `project/urls.py` includes them at /api/v1/ with the namespace `api`."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from uploads.pages.api import catalogue, connections, files, holds, jobs, lanes, messages, presets
from uploads.pages.api.door import Door, Verb, answer, unknown_address, view_of
from uploads.pages.api.openapi import PREFIX, document
from uploads.pages.api.schemas import TEXT

app_name = "api"


def show_index(request: HttpRequest) -> HttpResponse:
    """Say who asks and where things are."""
    lists = {door.name: PREFIX + door.path for door in DOORS if "<" not in door.path and door.path}
    return answer({"user": request.user.get_username(), **lists})


def show_document(request: HttpRequest) -> HttpResponse:
    return answer(document(DOORS))


DOORS = (
    Door(
        "",
        "index",
        {
            "GET": Verb(
                show_index,
                "Who you are, and where things are",
                {"type": "object", "additionalProperties": TEXT},
            )
        },
    ),
    Door(
        "openapi.json",
        "openapi",
        {"GET": Verb(show_document, "This document", {"type": "object"})},
        public=True,
    ),
    *catalogue.DOORS,
    *jobs.DOORS,
    *connections.DOORS,
    *messages.DOORS,
    *presets.DOORS,
    *files.DOORS,
    *holds.DOORS,
    *lanes.DOORS,
)

urlpatterns = [
    *(path(door.path, view_of(door), name=door.name) for door in DOORS),
    re_path(r"", unknown_address, name="unknown"),
]
