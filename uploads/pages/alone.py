"""Operations that need no file: where their pages are, what stands there, the job that a form asks for."""

from typing import Any

from django.http import HttpRequest

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import Job, Preferences
from uploads.operations import Operation
from uploads.operations.registry import operations
from uploads.pages.again import Again, again, from_preset
from uploads.pages.links import follow_ups, sent_stages
from uploads.pages.offers import offer
from uploads.work.outside import connection_field
from uploads.work.submit import JobRequest, submit

AT_OPTIONS = ("invalid_options", "unknown_field")


def starters() -> list[Operation[Any]]:
    """Return the operations that need neither a file nor a database."""
    known = (made for made in operations().values() if made.starts)
    return [operation for operation in known if not connection_field(operation)]


def address_of(name: str) -> str:
    """Return the address of an operation's own page; "" of one that takes files, or is gone."""
    operation = operations().get(name)
    if operation is None or not operation.starts:
        return ""
    return "/ask/" if connection_field(operation) else f"/begin/{name}/"


def before_of(request: HttpRequest) -> Again | None:
    """Return the job or preset that the address asks to begin with, None without one."""
    if key := request.GET.get("again"):
        return again(request.user, key)
    if key := request.GET.get("preset"):
        return from_preset(request.user, key)
    return None


def sent_job(request: HttpRequest, operation: str) -> Job:
    """Submit the job that a posted form asks for. Raises `RequestError`."""
    wanted = request.POST.get("notify") == "on" and conf.EMAIL_URL
    data = request.POST.copy()
    data["operation"] = operation
    made = JobRequest(
        sent_stages(request.user, data),
        [],
        name=data.get("name", ""),
        notify=str(getattr(request.user, "email", "")) if wanted else "",
        sample=data.get("sample") == "1",
    )
    return submit(request.user, made)


def filled(
    request: HttpRequest, operation: Operation[Any], data: Any, error: RequestError | None
) -> dict[str, Any]:
    """Return what the page of an operation shows, its form as `data` fills it."""
    mail = data.get("notify") == "on" if data else Preferences.of(request.user).mail_when_done
    shown = data if data is not None else {"operation": operation.name}
    return {
        "offer": offer(operation, request.user, shown, operation.name),
        "follow_ups": follow_ups(request.user, data, one_more=request.POST.get("add") == "then"),
        "most_operations": conf.JOB_MAX_OPERATIONS,
        "mail_possible": bool(conf.EMAIL_URL),
        "mail_wanted": mail,
        "name": data.get("name", "") if data else "",
        "error": error,
        "error_at": _place(error),
    }


def _place(error: RequestError | None) -> str:
    """Return where on the page an error belongs."""
    if error is None:
        return ""
    if after := error.values.get("place"):
        return f"then-{after}"
    return "options" if error.code in AT_OPTIONS else "page"
