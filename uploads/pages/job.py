"""The page of one job: right at every load, with or without scripts; live parts follow by socket."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from uploads.errors import RequestError
from uploads.models import Event, Job, Stage, Step
from uploads.models.snapshot import snapshot
from uploads.models.stage import own_options_of, upload_keys
from uploads.operations.registry import find
from uploads.pages.asked import asked_job
from uploads.pages.option_words import option_words, own_words
from uploads.pages.play import streams
from uploads.pages.sample import sample_of
from uploads.pages.tiles import lone_sheet, newest_tiles, saved_percent, showpiece
from uploads.states import ItemState, StepKind, StepState
from uploads.work.titles import chain_label

Json = dict[str, Any]
SHOWN_EVENTS = 200
SHOWN_TROUBLES = 25
SHOWN_INPUTS = 3
DUMMY = "django.core.mail.backends.dummy.EmailBackend"


@login_required
@require_safe
def job_page(request: HttpRequest, key: str) -> HttpResponse:
    """Show one job as it stands at its `seq`."""
    job = asked_job(request, key)
    stages = list(job.stages.order_by("position"))
    stage = stages[0]
    state = snapshot(job)
    context = {
        "section": "jobs",
        "job": job,
        "stage": stage,
        "operation": chain_label([operation_label(made.operation) for made in stages]),
        "state": state,
        "shown": state["shown"],
        "sample": sample_of(job, stage),
        "events": _newest_events(job),
        "tiles": newest_tiles(job),
        "failed": _page(job.items.filter(state=ItemState.FAILED), request, "failed"),
        "warned": _page(_warned(job), request, "warned"),
        "mail_trouble": _mail_trouble(job),
        "messages_sent": job.messages.counts(),
        "letters": _page_of(job.messages.troubled().select_related("job"), request, "letters"),
        "streams": streams(job),
        "recipe": _recipe(job, stages),
        "can_mail": settings.EMAIL_BACKEND != DUMMY,
        "origin": f"{request.scheme}://{request.get_host()}",
        **_ended(job, stage, state),
    }
    return render(request, "jobs/job.html", context)


def _mail_trouble(job: Job) -> Step | None:
    """Return the last e-mail's step if it failed or nobody knows what became of it."""
    last = job.steps.filter(kind=StepKind.NOTIFY, item=None).order_by("-id").first()
    return last if last is not None and last.state == StepState.FAILED else None


def _recipe(job: Job, stages: Sequence[Stage]) -> str:
    """Return the API's request for the same job, on one line that a shell takes in single quotes."""
    keys = upload_keys(job)
    if len(keys) > SHOWN_INPUTS:
        keys[SHOWN_INPUTS:] = ["…"]
    made = [{"operation": stage.operation, "options": stage.options} for stage in stages]
    body: Json = {**(made[0] if len(made) == 1 else {"stages": made}), "uploads": keys}
    body |= {"names": job.names} if job.names else {}
    body |= {"sample": True} if job.is_sample else {}
    body |= {"anew": True} if job.is_anew else {}
    own = own_options_of(job)
    body |= {"overrides": dict(islice(own.items(), SHOWN_INPUTS))} if own else {}
    return json.dumps(body, ensure_ascii=False).replace("'", "\\u0027")


def _ended(job: Job, stage: Stage, state: Json) -> Json:
    """Return what only an ended job shows: its best result, sizes, receipt."""
    if not job.is_finished:
        return {}
    best = showpiece(job)
    return {
        "showpiece": best,
        "sheet": lone_sheet(best),
        "bare": not any(tile.looks for tile in best),
        "seconds": _seconds(job),
        "receipt": _receipt(job),
        "own": _own(job, stage),
        "reused": job.items.exclude(twin=None).count(),
        **(_sizes(job, state) if any(tile.saved_percent for tile in best) else {}),
    }


def _sizes(job: Job, state: Json) -> Json:
    """Return the bytes before and after; told only of results of their originals' kind."""
    done = job.items.filter(state=ItemState.SUCCEEDED, stage__position=0)
    before = done.aggregate(n=Sum("size_bytes"))["n"] or 0
    after = state["results_bytes"]
    saved = saved_percent(before, after)
    return {"before_bytes": before, "after_bytes": after, "saved_percent": saved}


def _seconds(job: Job) -> float | None:
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds()


def operation_label(name: str) -> str:
    """Return an operation's label, or its name when it is no longer installed."""
    try:
        return find(name).label
    except RequestError:
        return name


def _receipt(job: Job) -> list[Json]:
    return [
        {
            "operation": operation_label(s.operation),
            "stage": s,
            "options": option_words(s.operation, s.options),
        }
        for s in job.stages.order_by("position")
    ]


def _own(job: Job, stage: Stage) -> list[tuple[str, str]]:
    """Return the first files with options of their own, each with these in words."""
    items = job.items.exclude(options={}).order_by("position")[:SHOWN_TROUBLES]
    return [(item.name, own_words(stage.operation, item.options)) for item in items]


def _newest_events(job: Job) -> list[Event]:
    newest = job.events.filter(seq__lte=job.seq).order_by("-seq")[:SHOWN_EVENTS]
    return list(reversed(newest))


def _warned(job: Job) -> Any:
    return job.items.exclude(warnings=[]).exclude(state=ItemState.FAILED)


def _page(items: Any, request: HttpRequest, name: str) -> Any:
    """Return the asked page of a list of items; `?failed=2` and the like."""
    rows = items.select_related("stage").order_by("stage__position", "position")
    return _page_of(rows, request, name)


def _page_of(rows: Any, request: HttpRequest, name: str) -> Any:
    return Paginator(rows, SHOWN_TROUBLES).get_page(request.GET.get(name))


@login_required
@require_safe
def job_log(request: HttpRequest, key: str) -> StreamingHttpResponse:
    """Send the whole log as a text file, a line an event, times in UTC."""
    job = asked_job(request, key)
    answer = StreamingHttpResponse(_lines(job), content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="job-{job.key}.log"'
    return answer


def _lines(job: Job) -> Iterator[str]:
    for event in job.events.order_by("seq").iterator(chunk_size=500):
        at = timezone.localtime(event.at, timezone.get_fixed_timezone(0))
        yield f"{at:%Y-%m-%d %H:%M:%S} {event.level:<7} {' '.join(event.text.split())}\n"
    for item in job.items.filter(state=ItemState.FAILED).exclude(error_detail="").iterator():
        yield f"\n--- {item.name}: {item.error_text}\n{item.error_detail}\n"
