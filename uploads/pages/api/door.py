"""How every door of the API opens: who asks, with which method and body; it knows no rows."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.pages.middleware import error_answer

Schema = dict[str, Any]
View = Callable[..., HttpResponseBase | Awaitable[HttpResponseBase]]


@dataclass(frozen=True)
class Verb:
    """One method of a door: its view, and what the OpenAPI document says about it.

    `answers` is the schema of a JSON answer; `media_type` is set for anything else.
    """

    view: View
    summary: str
    answers: Schema | None = None
    status: int = 200
    body: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True)
class Door:
    """One address below /api/v1/, written as Django's routes are, and its methods."""

    path: str
    name: str
    verbs: Mapping[str, Verb]
    public: bool = False


def view_of(door: Door) -> Callable[..., Any]:
    """Return the Django view of a door; asynchronous if one of its methods is."""
    views = {method: verb.view for method, verb in door.verbs.items()}
    if "GET" in views:
        views["HEAD"] = views["GET"]
    if any(iscoroutinefunction(view) for view in views.values()):
        return _asynchronous(door, views)

    def open_door(request: HttpRequest, **names: str) -> HttpResponseBase:
        if not (door.public or request.user.is_authenticated):
            raise RequestError("not_signed_in")
        view = views.get(request.method or "")
        if view is None:
            return _wrong_method(request, door)
        _known_parameters(request, door)
        answer = view(request, **names)
        assert isinstance(answer, HttpResponseBase)
        return answer

    return open_door


def _asynchronous(door: Door, views: Mapping[str, View]) -> Callable[..., Any]:
    async def open_door(request: HttpRequest, **names: str) -> HttpResponseBase:
        if not (await request.auser()).is_authenticated:
            raise RequestError("not_signed_in")
        view = views.get(request.method or "")
        if view is None:
            return _wrong_method(request, door)
        _known_parameters(request, door)
        answer = view(request, **names)
        assert not isinstance(answer, HttpResponseBase)
        return await answer

    return open_door


def _wrong_method(request: HttpRequest, door: Door) -> HttpResponse:
    allowed = ", ".join(sorted(door.verbs))
    answer = error_answer(
        request, RequestError("method_not_allowed", method=request.method, allowed=allowed)
    )
    answer["Allow"] = allowed
    return answer


def _known_parameters(request: HttpRequest, door: Door) -> None:
    verb = door.verbs.get("GET" if request.method == "HEAD" else request.method or "")
    for name in request.GET:
        if verb is None or name not in verb.query:
            known = ", ".join(verb.query) if verb and verb.query else "none"
            raise RequestError("unknown_field", field=name, known=known)


def json_body(request: HttpRequest) -> dict[str, Any]:
    """Return the request's JSON object; an empty body is an empty object.

    Raises `RequestError`: `body_too_large` above `TIDEMILL_JSON_MAX_BYTES`, `bad_request`
    for anything that is no JSON object.
    """
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > conf.JSON_MAX_BYTES:
        raise _too_large()
    media_type = (request.content_type or "").lower()
    if media_type not in {"", "application/json"} and length not in {"", "0"}:
        raise RequestError("bad_request", reason=f"the body is {media_type}, not JSON.")
    body = request.read(conf.JSON_MAX_BYTES + 1)
    if len(body) > conf.JSON_MAX_BYTES:
        raise _too_large()
    try:
        parsed = json.loads(body or b"{}")
        json.dumps(parsed, ensure_ascii=False).encode()  # half a surrogate pair is a ValueError
    except (ValueError, RecursionError):
        raise RequestError("bad_request", reason="the body is not valid JSON.") from None
    if not isinstance(parsed, dict):
        raise RequestError("bad_request", reason="the body must be a JSON object.")
    return parsed


def _too_large() -> RequestError:
    return RequestError("body_too_large", limit=f"{conf.JSON_MAX_BYTES} bytes")


def no_body(request: HttpRequest) -> None:
    """Refuse fields in the body of a command that takes none."""
    for name in json_body(request):
        raise RequestError("unknown_field", field=name, known="none")


def answer(data: Any, status: int = 200) -> JsonResponse:
    """Return data as JSON that no cache keeps."""
    return JsonResponse(
        data, status=status, safe=False, headers={"Cache-Control": "private, no-store"}
    )


def unknown_address(request: HttpRequest) -> HttpResponse:
    """Answer in JSON for every address below /api/ that is no door."""
    raise RequestError("not_found")
