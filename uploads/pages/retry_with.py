"""Retry with other options: the form of the operation at which files failed, filled in as it was."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from uploads.errors import RequestError
from uploads.models import Job, Stage
from uploads.operations.options import canonical, fields_of, parse_options
from uploads.operations.registry import find
from uploads.pages.answers import SeeOther
from uploads.pages.asked import asked_job
from uploads.pages.forms import chosen_options
from uploads.pages.links import as_sent
from uploads.pages.offers import offer
from uploads.states import ItemState
from uploads.work.retry import retry_with

NOT_DONE = [ItemState.FAILED, ItemState.CANCELLED]


@login_required
@require_http_methods(["GET", "POST"])
def retry_with_options(request: HttpRequest, key: str) -> HttpResponse:
    """Show the options of a failed operation; POST does again what failed there with others."""
    job = asked_job(request, key)
    stage = _stage(job, request)
    if request.method == "GET":
        data: Any = as_sent([(stage.operation, _tried(stage))])
        return _page(request, job, stage, data)
    operation = find(stage.operation)
    files = {field.name for field in fields_of(operation.options) if field.type == "upload"}
    try:
        chosen = chosen_options(operation, request.user, request.POST)
        # What a preset leaves out has its default, and not what it was.
        full = canonical(parse_options(operation.options, chosen))
        tried = _tried(stage)
        wanted = {n: v for n, v in full.items() if n not in files and v != tried.get(n)}
        retry_with(job, request.user.get_username(), options=wanted, stage=stage.position)
    except RequestError as error:
        return _page(request, job, stage, request.POST, error)
    return SeeOther(f"/jobs/{job.key}/")


def _stage(job: Job, request: HttpRequest) -> Stage:
    """Return the operation that is meant, or the first at which something was not done."""
    failed = job.stages.filter(items__state__in=NOT_DONE).distinct().order_by("position")
    text = request.GET.get("stage", "")
    chosen = failed.filter(position=int(text[:4])) if text.isdecimal() else failed
    stage = chosen.first()
    if stage is None or not job.retryable:
        raise RequestError("conflict", reason="there is nothing to retry.")
    return stage


def _tried(stage: Stage) -> dict[str, Any]:
    """Return the options that what was not done had last; where files differ, those of the job."""
    rows = stage.items.filter(state__in=NOT_DONE).order_by().values_list("options", flat=True)
    own = list(rows.distinct())
    tried = dict(stage.options)
    for name in {name for options in own for name in options}:
        first, *others = [options.get(name, stage.options.get(name)) for options in own]
        tried |= {name: first} if all(other == first for other in others) else {}
    return tried


def _page(
    request: HttpRequest, job: Job, stage: Stage, data: Any, error: RequestError | None = None
) -> HttpResponse:
    operation = find(stage.operation)
    context = {
        "section": "jobs",
        "job": job,
        "count": stage.items.filter(state__in=NOT_DONE).count(),
        "offer": offer(operation, request.user, data, operation.name),
        "stage": stage,
        "error": error,
        "error_at": "options" if error else "",
    }
    return render(request, "jobs/retry_with.html", context, status=error.status if error else 200)
