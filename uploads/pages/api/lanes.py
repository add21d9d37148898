"""Lanes for scripts: what waits and runs in each, and how many steps may run at once."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.models import LaneLimit
from uploads.models.deeds import bound
from uploads.models.lane_limit import LARGEST, checked
from uploads.models.pulse import LanePulse, lanes
from uploads.models.staff import may_hold, may_see_holds
from uploads.pages.api.door import Door, Verb, answer, json_body
from uploads.pages.api.schemas import listed, ref
from uploads.states import Lane

BODY = {
    "type": "object",
    "properties": {"max_inflight": {"type": "integer", "minimum": 1, "maximum": LARGEST}},
    "required": ["max_inflight"],
    "additionalProperties": False,
}


def list_lanes(request: HttpRequest) -> HttpResponse:
    """List every lane, for staff who may see what is paused."""
    if not may_see_holds(request.user):
        raise RequestError("forbidden")
    return answer({"results": _lanes_json(), "next": None})


def limit_lane(request: HttpRequest, lane: str) -> HttpResponse:
    user = _limiter(request, lane)
    body = json_body(request)
    for name in body:
        if name != "max_inflight":
            raise RequestError("unknown_field", field=name, known="max_inflight")
    bound(user, lane, checked(body.get("max_inflight")))
    return answer(next(row for row in _lanes_json() if row["lane"] == lane))


def lift_limit(request: HttpRequest, lane: str) -> HttpResponse:
    bound(_limiter(request, lane), lane, None)
    return HttpResponse(status=204)


def _limiter(request: HttpRequest, lane: str) -> Any:
    """Return who may limit the lane; raises `forbidden` for others, `not_found` without it."""
    if not may_hold(request.user):
        raise RequestError("forbidden")
    if lane not in list(Lane):
        raise RequestError("not_found")
    return request.user


def _lanes_json() -> list[dict[str, Any]]:
    limits = {row.lane: row for row in LaneLimit.objects.all()}
    return [_lane_json(pulse, limits.get(pulse.lane)) for pulse in lanes()]


def _lane_json(pulse: LanePulse, limit: LaneLimit | None) -> dict[str, Any]:
    return {
        "lane": pulse.lane,
        "workers": pulse.workers,
        "ready": pulse.ready,
        "running": pulse.running,
        "max_inflight": limit.max_inflight if limit else None,
        "limited_by": limit.set_by if limit else None,
        "limited_at": limit.set_at.isoformat() if limit else None,
    }


DOORS = (
    Door(
        "lanes/",
        "lanes",
        {
            "GET": Verb(
                list_lanes, "What waits and runs in each lane, and its limit", listed("Lane")
            )
        },
    ),
    Door(
        "lanes/<str:lane>/limit/",
        "limit",
        {
            "PUT": Verb(
                limit_lane,
                "Let at most so many of the lane's steps run at once; what runs ends",
                ref("Lane"),
                body=BODY,
            ),
            "DELETE": Verb(
                lift_limit, "Lift the limit; asked twice, it changes nothing more", status=204
            ),
        },
    ),
)
