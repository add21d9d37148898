"""Databases that the token's owner may ask, for scripts; where they are and how entered stays inside."""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.models import Connection
from uploads.pages.api.cursor import QUERY, piece
from uploads.pages.api.door import Door, Verb, answer
from uploads.pages.api.schemas import listed, ref
from uploads.pages.api.shapes import Json
from uploads.work.outside import limits_of


def connections_json(connections: Sequence[Connection]) -> list[Json]:
    return [
        {
            "id": made.key,
            "name": made.name,
            "kind": made.kind,
            **limits_of(made),
            "tables": made.found.get("tables", []),
            "tables_at": made.looked_at.isoformat() if made.looked_at else None,
            "trouble": made.trouble,
        }
        for made in connections
    ]


def list_connections(request: HttpRequest) -> HttpResponse:
    return piece(request, Connection.objects.usable_by(request.user), connections_json)


def show_connection(request: HttpRequest, key: str) -> HttpResponse:
    found = Connection.objects.usable_by(request.user).filter(key=key).first()
    if found is None:
        raise RequestError("not_found")
    return answer(connections_json([found])[0])


DOORS = (
    Door(
        "connections/",
        "connections",
        {"GET": Verb(list_connections, "Databases you may ask", listed("Connection"), query=QUERY)},
    ),
    Door(
        "connections/<str:key>/",
        "connection",
        {"GET": Verb(show_connection, "One database with its tables", ref("Connection"))},
    ),
)
