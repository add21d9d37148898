"""The rows that an address asks for, if they are the asker's; anything else is not found."""

from django.http import HttpRequest

from uploads.errors import RequestError
from uploads.models import Job, Result


def asked_job(request: HttpRequest, key: str) -> Job:
    """Return the user's job of this key, read just now; raises `not_found` for all others."""
    rows = Job.objects.visible_to(request.user).select_related("owner")
    job = rows.filter(key=key).first()
    if job is None:
        raise RequestError("not_found")
    return job


def asked_result(request: HttpRequest, key: str) -> Result:
    """Return a result of the user's jobs; raises `not_found` for all others."""
    rows = Result.objects.visible_to(request.user).exclude(role="part")
    result = rows.select_related("item__upload").filter(key=key).first()
    if result is None:
        raise RequestError("not_found")
    return result
