"""What can be done, for scripts: every operation with the schema of its options."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.operations import Operation
from uploads.operations.options import schema
from uploads.operations.registry import operations
from uploads.pages.api.door import Door, Verb, answer
from uploads.pages.api.schemas import listed, ref
from uploads.pages.api.shapes import Json
from uploads.work.messages import is_on


def list_operations(request: HttpRequest) -> HttpResponse:
    offered = [made for made in operations().values() if is_on() or not made.sends]
    known = [operation_json(operation) for operation in offered]
    return answer({"results": known, "next": None})


def show_operation(request: HttpRequest, name: str) -> HttpResponse:
    operation = operations().get(name)
    if operation is None:
        raise RequestError("not_found")
    return answer(operation_json(operation))


def operation_json(operation: Operation[Any]) -> Json:
    """Return an operation; `options` is the JSON schema (2020-12) of what it takes."""
    return {
        "name": operation.name,
        "label": operation.label,
        "summary": operation.summary,
        "accepts": list(operation.accepts),
        "takes": operation.takes,
        "version": operation.version,
        "lacks": operation.missing(),
        "presets": [
            {
                "name": preset.name,
                "label": preset.label,
                "summary": preset.summary,
                "options": preset.options,
            }
            for preset in operation.presets
        ],
        "options": schema(operation.options),
    }


DOORS = (
    Door(
        "operations/",
        "operations",
        {"GET": Verb(list_operations, "Every operation", listed("Operation"))},
    ),
    Door(
        "operations/<str:name>/",
        "operation",
        {"GET": Verb(show_operation, "One operation with its options", ref("Operation"))},
    ),
)
