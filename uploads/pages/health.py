"""`/healthz`: whether web, database and workers agree that work gets done; open to everybody."""

from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from uploads import bell
from uploads.errors import sentence
from uploads.models.lock import is_locked
from uploads.models.pulse import lanes
from uploads.storage import room


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200, or 503 with the reasons in words; three small queries, a few more without workers.

    The answer names no person, file or version, for load balancers ask without a token.
    """
    reasons = faults()
    body = {"status": "failing" if reasons else "ok", "reasons": reasons}
    return JsonResponse(body, status=503 if reasons else 200)


def faults() -> list[str]:
    """Return why work would not get done now; empty when all is well."""
    full = [sentence("disk_short", {})] if room.is_short() else []
    if not bell.has_room():
        full.append(sentence("run_folder_full", {}))
    try:
        idle = [lane.lane for lane in lanes() if lane.wanted and not lane.workers]
        if idle and is_locked():  # then their heartbeats tell nothing
            return [*full, "The database does not answer: another program keeps it locked."]
    except DatabaseError:
        return [*full, "The database does not answer."]
    return full + [f"No worker of the lane “{lane}” is alive." for lane in idle]
