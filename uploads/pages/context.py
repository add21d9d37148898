"""What every page's frame shows."""

from typing import Any

from django.http import HttpRequest

from uploads.errors import RequestError
from uploads.models import Job
from uploads.storage import room

THEMES = ("light", "dark")


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return the chosen theme (empty: the system's) and the number of unfinished jobs."""
    theme = request.COOKIES.get("theme", "")
    shown: dict[str, Any] = {"theme": theme if theme in THEMES else ""}
    if room.is_short():
        shown["disk_short"] = RequestError("disk_short")
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        shown["unfinished_jobs"] = Job.objects.visible_to(user).unfinished().count()
    return shown
