"""What can be done, for scripts: every operation with the schema of its options."""

from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.operations.registry import operations
from uploads.pages.api.door import Door, Verb, answer
from uploads.pages.api.shapes import listed, operation_json, ref


def list_operations(request: HttpRequest) -> HttpResponse:
    known = [operation_json(operation) for operation in operations().values()]
    return answer({"results": known, "next": None})


def show_operation(request: HttpRequest, name: str) -> HttpResponse:
    operation = operations().get(name)
    if operation is None:
        raise RequestError("not_found")
    return answer(operation_json(operation))


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
