"""What every page's frame shows."""

from typing import Any

from django.http import HttpRequest

from uploads.models import Job


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return the number of the user's unfinished jobs for the menu."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"unfinished_jobs": Job.objects.visible_to(user).unfinished().count()}
