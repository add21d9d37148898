"""The page of an operation that needs no file: its options, and Start."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from uploads.errors import RequestError
from uploads.operations.registry import operations
from uploads.pages.alone import before_of, filled, sent_job, starters
from uploads.pages.answers import SeeOther


@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest, name: str) -> HttpResponse:
    """Show the page; POST starts the job and goes to it, or shows what is wrong."""
    if name not in [made.name for made in starters()]:
        raise RequestError("not_found")
    if request.method != "POST":
        before = before_of(request)
        return _page(request, name, before.data if before else None)
    if "add" in request.POST:
        return _page(request, name, request.POST)
    try:
        job = sent_job(request, name)
    except RequestError as error:
        return _page(request, name, request.POST, error)
    return SeeOther(f"/jobs/{job.key}/")


def _page(
    request: HttpRequest, name: str, data: Any, error: RequestError | None = None
) -> HttpResponse:
    page = {**filled(request, operations()[name], data, error), "section": "begin"}
    return render(request, "begin.html", page, status=error.status if error else 200)
