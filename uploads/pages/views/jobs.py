"""The list of jobs: by state and text, from the address; a handful of queries, however many rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from uploads.errors import RequestError
from uploads.models import Hold, Job, Result, holding
from uploads.models.deeds import resume_own
from uploads.models.glance import glance, mark_of
from uploads.models.hold import owner_place
from uploads.models.staff import may_hold
from uploads.models.words import time_range
from uploads.operations.registry import operations
from uploads.pages.answers import SeeOther
from uploads.pages.tiles import INLINE_IMAGES
from uploads.states import JobState

PER_PAGE = 25
THUMB_BYTES = 256 * 1024
FILTERS: dict[str, tuple[str, Q]] = {
    "": ("All", Q()),
    "open": ("Unfinished", Q(finished_at=None)),
    "done": ("Done", Q(state__in=[JobState.SUCCEEDED, JobState.PARTIAL])),
    "failed": ("Failed", Q(state__in=[JobState.FAILED, JobState.PARTIAL])),
    "cancelled": ("Cancelled", Q(state=JobState.CANCELLED)),
}


@dataclass(frozen=True)
class JobRow:
    """One job of the list: its row and what `glance` says of it."""

    job: Any
    seen: dict[str, Any]

    @property
    def label(self) -> str:
        made = operations().get(self.seen["operation"])
        return made.label if made else self.seen["operation"]

    @property
    def icon(self) -> str:
        family = self.seen["operation"].partition(".")[0]
        if family == "pdf":
            return "document"
        return family if family in {"image", "video", "audio"} else "file"

    @property
    def state(self) -> str:
        return mark_of(self.seen, is_cancelling=self.job.is_cancelling)

    @property
    def seconds(self) -> float | None:
        """Return how long it took from its first claim to its end."""
        if not (self.job.started_at and self.job.finished_at):
            return None
        return float((self.job.finished_at - self.job.started_at).total_seconds())

    @property
    def left(self) -> str:
        """Return the time left in words, or nothing while it would be a guess."""
        eta = self.seen["eta_seconds"]
        return time_range(eta["low"], eta["high"]) if eta else ""


@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    """List the person's jobs, newest first; `state`, `q` and `page` come from the address."""
    wanted = request.GET.get("state", "")
    wanted = wanted if wanted in FILTERS else ""
    text = request.GET.get("q", "").strip()
    mine = _matching(Job.objects.visible_to(request.user), text)
    page = Paginator(_with_sums(mine.filter(FILTERS[wanted][1])), PER_PAGE).get_page(
        request.GET.get("page")
    )
    shown = {
        "section": "jobs",
        "rows": _rows(list(page.object_list)),
        "page": page,
        "filters": _filters(mine, wanted, text),
        "wanted": wanted,
        "text": text,
        "query": _query(wanted, text, more=True),
        "hold": Hold.objects.filter(place=owner_place(_number(request))).first(),
        "may_hold": may_hold(request.user),
        "common": Hold.objects.filter(owner=None),
    }
    return render(request, "jobs/list.html", shown)


@require_POST
def pause_all(request: HttpRequest) -> HttpResponse:
    """Start no further step of any of the person's jobs, those to come included."""
    name = request.user.get_username()
    holding.hold(owner_place(_number(request)), name, by_staff=False)
    return SeeOther("/jobs/")


@require_POST
def resume_all(request: HttpRequest) -> HttpResponse:
    """Go on with all jobs; what staff have paused only staff who may resume."""
    try:
        resume_own(request.user)
    except RequestError:
        messages.error(request, "An operator has paused your jobs; only an operator resumes them.")
    return SeeOther("/jobs/")


def _number(request: HttpRequest) -> int:
    assert request.user.pk is not None  # the middleware asks strangers to sign in
    return int(request.user.pk)


def _matching(mine: QuerySet[Job], text: str) -> QuerySet[Job]:
    if not text:
        return mine
    named = mine.filter(items__name__icontains=text).values("pk")
    return mine.filter(Q(name__icontains=text) | Q(pk__in=named))


def _with_sums(found: QuerySet[Job]) -> QuerySet[Job]:
    of_job = Result.objects.filter(job=OuterRef("pk")).order_by()
    sums = of_job.finished().values("job").annotate(total=Sum("size_bytes")).values("total")
    small = of_job.filter(media_type__in=INLINE_IMAGES, size_bytes__lte=THUMB_BYTES).order_by("id")
    return found.annotate(results_bytes=Subquery(sums), picture=Subquery(small.values("key")[:1]))


def _rows(found: Sequence[Job]) -> list[JobRow]:
    return [JobRow(job, seen) for job, seen in zip(found, glance(found), strict=True)]


def _filters(mine: QuerySet[Job], wanted: str, text: str) -> list[dict[str, Any]]:
    counts = mine.aggregate(
        **{name or "all": Count("pk", filter=rule) for name, (_, rule) in FILTERS.items()}
    )
    return [
        {
            "label": label,
            "count": counts[name or "all"],
            "address": _query(name, text) or "?",
            "current": name == wanted,
        }
        for name, (label, _) in FILTERS.items()
    ]


def _query(state: str, text: str, *, more: bool = False) -> str:
    given = {name: value for name, value in (("state", state), ("q", text)) if value}
    if more:
        return urlencode(given) + "&" if given else ""
    return "?" + urlencode(given) if given else ""
