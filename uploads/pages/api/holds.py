"""Holds for scripts: who has paused what; staff pause anything, everybody their own jobs."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.models import Hold, holding
from uploads.models.hold import owner_place
from uploads.pages.api.cursor import QUERY, piece
from uploads.pages.api.door import Door, Verb, answer, json_body
from uploads.pages.api.shapes import TEXT, listed, ref

PLACE = {
    **TEXT,
    "description": "`all`, `lane:cpu`, `lane:light`, or `owner:NAME` for one person's jobs.",
}
BODY = {
    "type": "object",
    "properties": {"place": PLACE},
    "required": ["place"],
    "additionalProperties": False,
}
PERMISSION = "uploads.change_job"


def list_holds(request: HttpRequest) -> HttpResponse:
    """List what keeps this person's jobs; staff who may command jobs see every hold."""
    rows = Hold.objects.select_related("owner")
    if not _commands(request.user):
        rows = rows.concerning(request.user.pk)
    return piece(request, rows, holds_json)


def create_hold(request: HttpRequest) -> HttpResponse:
    body = json_body(request)
    for name in body:
        if name != "place":
            raise RequestError("unknown_field", field=name, known="place")
    place = body.get("place")
    if not isinstance(place, str):
        raise RequestError("bad_request", reason="`place` must be a text.")
    row, by_staff = _meant(request.user, place)
    holding.hold(row, request.user.get_username(), by_staff=by_staff)
    return answer(holds_json([Hold.objects.select_related("owner").get(place=row)])[0], status=201)


def lift_hold(request: HttpRequest, place: str) -> HttpResponse:
    row, by_staff = _meant(request.user, place)
    holding.lift(row, by_staff=by_staff)
    return HttpResponse(status=204)


def _commands(user: Any) -> bool:
    return bool(user.is_staff and user.has_perm(PERMISSION))


def _meant(user: Any, place: str) -> tuple[str, bool]:
    """Return the row's place, and whether the user acts as staff there.

    Raises `not_found` for another person, `forbidden` for what only staff may pause.
    """
    kind, _, name = place.partition(":")
    if kind != "owner":
        if not _commands(user):
            raise RequestError("forbidden")
        return place, True
    if name == user.get_username():
        return owner_place(user.pk), _commands(user)
    person = get_user_model().objects.filter(username=name).first()
    if person is None or not _commands(user):
        raise RequestError("not_found")
    return owner_place(person.pk), True


def holds_json(holds: Sequence[Hold]) -> list[dict[str, Any]]:
    """Return holds; `owner` must be selected with them."""
    return [
        {
            "place": f"owner:{hold.owner.get_username()}" if hold.owner else hold.place,
            "text": hold.text,
            "held_by": hold.held_by,
            "held_at": hold.held_at.isoformat(),
        }
        for hold in holds
    ]


DOORS = (
    Door(
        "holds/",
        "holds",
        {
            "GET": Verb(list_holds, "What is paused, newest first", listed("Hold"), query=QUERY),
            "POST": Verb(
                create_hold,
                "Pause all work, a lane or one person's jobs; running steps end",
                ref("Hold"),
                status=201,
                body=BODY,
            ),
        },
    ),
    Door(
        "holds/<str:place>/",
        "hold",
        {"DELETE": Verb(lift_hold, "Go on; asked twice, it changes nothing more", status=204)},
    ),
)
