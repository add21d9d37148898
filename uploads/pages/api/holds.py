"""Holds for scripts: who has paused what; staff pause anything, everybody their own jobs."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.models import Hold, holding
from uploads.models.deeds import resume_own, steer
from uploads.models.hold import owner_place, place_words
from uploads.models.staff import may_hold, may_see_holds
from uploads.pages.api.cursor import QUERY, piece
from uploads.pages.api.door import Door, Verb, answer, json_body
from uploads.pages.api.schemas import TEXT, listed, ref

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


def list_holds(request: HttpRequest) -> HttpResponse:
    """List what keeps this person's jobs; staff who may see holds see every one."""
    rows = Hold.objects.select_related("owner")
    if not may_see_holds(request.user):
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
    user: Any = request.user
    row, words = _meant(user, place)
    if row == owner_place(user.pk):
        # Staff too pause their own jobs as anybody does, so that their list of jobs resumes them.
        holding.hold(row, user.get_username(), by_staff=False)
    else:
        steer(user, row, words, going_on=False)
    return answer(holds_json([Hold.objects.select_related("owner").get(place=row)])[0], status=201)


def lift_hold(request: HttpRequest, place: str) -> HttpResponse:
    user: Any = request.user
    row, words = _meant(user, place)
    if row == owner_place(user.pk):
        resume_own(user)
    elif row.startswith("owner:") or row in holding.COMMON_PLACES:
        steer(user, row, words, going_on=True)
    else:
        raise RequestError("not_found")
    return HttpResponse(status=204)


def _meant(user: Any, place: str) -> tuple[str, str]:
    """Return the row's place and its words for the record.

    Raises `not_found` for another person, `forbidden` for what only staff may pause,
    `bad_request` for what only the quota pauses.
    """
    kind, _, name = place.partition(":")
    if kind != "owner":
        if not may_hold(user):
            raise RequestError("forbidden")
        if kind == "quota":
            raise RequestError("bad_request", reason="the quota alone sets and lifts this pause.")
        return place, place_words(place)
    if name == user.get_username():
        return owner_place(user.pk), place_words(place, name)
    person = get_user_model().objects.filter(username=name).first()
    if person is None or not may_hold(user):
        raise RequestError("not_found")
    return owner_place(person.pk), place_words(place, name)


def holds_json(holds: Sequence[Hold]) -> list[dict[str, Any]]:
    """Return holds; `owner` must be selected with them."""
    return [
        {
            "place": f"{hold.place.partition(':')[0]}:{hold.owner.get_username()}"
            if hold.owner
            else hold.place,
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
