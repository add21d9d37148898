"""`/healthz`: whether web, database and workers agree that work gets done; open to everybody."""

from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from uploads.models.pulse import lanes


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200, or 503 with the reasons in words; three small queries.

    The answer names no person, file or version, for load balancers ask without a token.
    """
    reasons = faults()
    body = {"status": "failing" if reasons else "ok", "reasons": reasons}
    return JsonResponse(body, status=503 if reasons else 200)


def faults() -> list[str]:
    """Return why work would not get done now; empty when all is well."""
    try:
        found = lanes()
    except DatabaseError:
        return ["The database does not answer."]
    return [
        f"No worker of the lane “{lane.lane}” is alive."
        for lane in found
        if lane.wanted and not lane.workers
    ]
