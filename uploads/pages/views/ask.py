"""The page that asks a database: whom, what, and its tables beside the question."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import Connection, Preferences
from uploads.operations.registry import find
from uploads.pages.again import Again, again, from_preset
from uploads.pages.answers import SeeOther
from uploads.pages.links import follow_ups, sent_stages
from uploads.pages.offers import offer
from uploads.work.looking import look_elsewhere
from uploads.work.submit import JobRequest, submit

ASKS = "db.query"
FIELD = f"{ASKS}-connection"
AT_OPTIONS = ("invalid_options", "unknown_field")


@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Show the page; POST starts the job and goes to it, or shows what is wrong."""
    if request.method == "POST" and "add" not in request.POST:
        return _start(request)
    before = None
    if key := request.GET.get("again"):
        before = again(request.user, key)
    elif key := request.GET.get("preset"):
        before = from_preset(request.user, key)
    return render(request, "ask.html", _page(request, before=before))


def _start(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.get("notify") == "on" and conf.EMAIL_URL
    data = request.POST.copy()
    data["operation"] = ASKS
    try:
        made = JobRequest(
            sent_stages(request.user, data),
            [],
            name=data.get("name", ""),
            notify=str(getattr(request.user, "email", "")) if wanted else "",
            sample=data.get("sample") == "1",
        )
        job = submit(request.user, made)
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
    filled = data if data is not None else {"operation": ASKS, FIELD: chosen.key}
    place = "options" if error and error.code in AT_OPTIONS else "page"
    if error and (after := error.values.get("place")):
        place = f"then-{after}"
    mail = data.get("notify") == "on" if data else Preferences.of(request.user).mail_when_done
    return {
        "section": "ask",
        "offer": offer(find(ASKS), request.user, filled, ASKS),
        "connection": chosen,
        "follow_ups": follow_ups(request.user, data, one_more=request.POST.get("add") == "then"),
        "most_operations": conf.JOB_MAX_OPERATIONS,
        "mail_possible": bool(conf.EMAIL_URL),
        "mail_wanted": mail,
        "name": data.get("name", "") if data else "",
        "error": error,
        "error_at": place if error else "",
    }


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
