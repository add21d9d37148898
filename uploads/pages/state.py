"""The job's state as JSON: what the socket sends, for polling pages, scripts and tests."""

from hashlib import sha256

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from uploads.errors import RequestError
from uploads.models.feed import cut
from uploads.pages.asked import asked_job


@require_safe
def state(request: HttpRequest, key: str) -> HttpResponse:
    """Answer `patch` with the events since `?after=SEQ`, or `snap` without it or far behind.

    An unchanged answer is 304 to a client that sends its ETag.
    """
    after = _after(request.GET.get("after", ""))
    if not request.user.is_authenticated:
        raise RequestError("not_signed_in")
    job = asked_job(request, key)
    answer: HttpResponse = JsonResponse(cut(job.pk, [after]).message(after))
    etag = f'"{sha256(answer.content).hexdigest()[:20]}"'
    if request.headers.get("If-None-Match") == etag:
        answer = HttpResponse(status=304)
    answer["ETag"] = etag
    answer["Cache-Control"] = "private, no-cache"
    return answer


def _after(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise RequestError("bad_request", reason="“after” is a number of the job's events.")
    return int(text)
