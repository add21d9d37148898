"""The rows that an address asks for, if they are the asker's; anything else is not found."""

from typing import Any

from django.http import HttpRequest

from uploads.errors import RequestError
from uploads.models import Job, Result


def asked_job(request: HttpRequest, key: str) -> Job:
    """Return the user's job of this key, read just now; raises `not_found` for all others."""
    return _one(Job.objects.visible_to(request.user).select_related("owner").filter(key=key))


def asked_result(request: HttpRequest, key: str) -> Result:
    """Return a result of the user's jobs; raises `not_found` for all others."""
    rows = Result.objects.visible_to(request.user).exclude(role="part")
    return _one(rows.select_related("item__upload", "job").filter(key=key))


def _one(rows: Any) -> Any:
    row = rows.first()
    if row is None:
        raise RequestError("not_found")
    return row
