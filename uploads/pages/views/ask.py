"""The page that asks a database: whom, what, and its tables beside the question."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from uploads.errors import RequestError
from uploads.models import Connection
from uploads.operations.registry import find
from uploads.pages.again import Again
from uploads.pages.alone import before_of, filled, sent_job
from uploads.pages.answers import SeeOther
from uploads.work.looking import look_elsewhere

ASKS = "db.query"
FIELD = f"{ASKS}-connection"


@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Show the page; POST starts the job and goes to it, or shows what is wrong."""
    if request.method != "POST" or "add" in request.POST:
        before = before_of(request) if request.method != "POST" else None
        return render(request, "ask.html", _page(request, before=before))
    try:
        job = sent_job(request, ASKS)
    except RequestError as error:
        return render(request, "ask.html", _page(request, error=error), status=error.status)
    return SeeOther(f"/jobs/{job.key}/")


def _page(
    request: HttpRequest, error: RequestError | None = None, before: Again | None = None
) -> dict[str, Any]:
    usable = list(Connection.objects.usable_by(request.user))
    if not usable:
        raise RequestError("not_found")
    data = before.data if before else request.POST if request.method == "POST" else None
    wanted = (data.get(FIELD) if data else None) or request.GET.get("database")
    chosen = next((made for made in usable if made.key == wanted), usable[0])
    shown = data if data is not None else {"operation": ASKS, FIELD: chosen.key}
    page = filled(request, find(ASKS), shown, error)
    return {**page, "section": "ask", "connection": chosen}


def usable(request: HttpRequest, key: str) -> Connection:
    """Return a connection that the person may ask; raises `not_found` for all others."""
    found = Connection.objects.usable_by(request.user).filter(key=key).first()
    if found is None:
        raise RequestError("not_found")
    return found


@require_safe
def tables(request: HttpRequest, key: str) -> HttpResponse:
    """Show a database's tables alone, for the page's script to put in."""
    return render(request, "_tables.html", {"connection": usable(request, key)})


@require_POST
def look(request: HttpRequest, key: str) -> HttpResponse:
    """Look at a database's tables anew."""
    connection = usable(request, key)
    look_elsewhere(connection)
    return SeeOther(f"/ask/?database={connection.key}")
