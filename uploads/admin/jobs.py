"""Jobs in the console: a live list, commands to many, a page for each job, failures in groups."""

from collections import Counter
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST, require_safe

from uploads.admin.batches import Batch
from uploads.admin.failures import LOOKED_AT, failures
from uploads.admin.filters import SPANS, WINDOWS
from uploads.admin.job_page import page_context
from uploads.admin.lists import AnyModelAdmin, page_of
from uploads.admin.matching import Matching
from uploads.admin.overview import job_rows
from uploads.admin.site import console
from uploads.admin.verbs import BY_NAME, VERBS, JobVerb, counted, obey, outcome, read_priority
from uploads.errors import RequestError
from uploads.models import Job

LIST = "admin:uploads_job_changelist"
CHOSEN_AT_MOST = 500
NAMED = 12


@admin.register(Job, site=console)
class JobAdmin(AnyModelAdmin):
    """Lists by key; the database's numbers stay inside."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(require_safe(self.list_view)), name="uploads_job_changelist"),
            path("command/", view(require_POST(self.command_view)), name="uploads_job_command"),
            path("failures/", view(require_safe(self.failures_view)), name="uploads_job_failures"),
            path("<slug:key>/change/", view(self.job_view), name="uploads_job_change"),
            path(
                "<slug:key>/<slug:verb>/",
                view(require_POST(self.verb_view)),
                name="uploads_job_verb",
            ),
        ]

    # --- pages -------------------------------------------------------------

    def list_view(self, request: HttpRequest) -> TemplateResponse:
        """Show the jobs that match, fifty a page; a constant number of queries."""
        self._need(request, "view")
        matching = Matching.read(request.GET.dict())
        page = page_of(request, matching.ordered().select_related("owner"))
        context = {
            "title": "Jobs",
            "matching": matching,
            "query": f"{matching.query()[1:]}&" if len(matching.query()) > 1 else "",
            "offers": matching.offers(),
            "page": page,
            "rows": job_rows(list(page)),
            "verbs": [verb for verb in VERBS if self._may(request, verb.permission)],
        }
        return self._answer(request, "admin/jobs.html", context)

    def failures_view(self, request: HttpRequest) -> TemplateResponse:
        """Show what failed in a window of time, by error and operation."""
        self._need(request, "view")
        window = request.GET.get("age", "day")
        window = window if window in WINDOWS else "day"
        context = {
            "title": "Failures",
            "place": "failures",
            "failures": failures(window),
            "windows": [(name, SPANS[name][0], name == window) for name in WINDOWS],
            "looked_at": LOOKED_AT,
            "may_retry": self._may(request, "change"),
        }
        return self._answer(request, "admin/failures.html", context)

    def job_view(self, request: HttpRequest, key: str) -> TemplateResponse:
        """Show one job: how it stands, its steps in time, what failed, what happened."""
        self._need(request, "view")
        job = self.find(key)
        allowed = {name for name in ("change", "delete") if self._may(request, name)}
        return self._answer(
            request, "admin/job.html", {**page_context(job, allowed), "title": job.name}
        )

    def find(self, key: str) -> Job:
        job = Job.objects.select_related("owner").filter(key=key).first()
        if job is None:
            raise RequestError("not_found")
        return job

    # --- commands ----------------------------------------------------------

    def verb_view(self, request: HttpRequest, key: str, verb: str) -> HttpResponse:
        """Do one command to one job, and go back to its page."""
        command = self._verb(request, verb)
        priority = self._priority(request, command)
        self._do(request, command, [self.find(key)], priority)
        if command.name == "remove":
            return HttpResponseRedirect(reverse(LIST))
        return HttpResponseRedirect(reverse("admin:uploads_job_change", args=[key]))

    def command_view(self, request: HttpRequest) -> HttpResponse:
        """Do one command to the chosen jobs, or to all that match.

        All that match, and what can't be taken back, is asked about first.
        """
        if "batch" in request.POST:
            return self._go_on(request, Batch.read(request.user, request.POST["batch"]))
        verb = self._verb(request, request.POST.get("verb", ""))
        priority = self._priority(request, verb)
        matching = Matching.parse(request.POST.get("query", ""))
        if request.POST.get("scope") == "all":
            batch = Batch.of(request.user, verb, matching, priority)
            return self._ask(request, verb, matching, batch=batch)
        keys = request.POST.getlist("job")[:CHOSEN_AT_MOST]
        jobs = list(Job.objects.filter(key__in=keys).order_by("pk"))
        if jobs and verb.asks and "sure" not in request.POST:
            return self._ask(request, verb, matching, jobs=jobs)
        if jobs:
            self._do(request, verb, jobs, priority)
        else:
            messages.warning(request, "No job was chosen: tick some, or choose all that match.")
        return HttpResponseRedirect(reverse(LIST) + matching.query())

    def _do(self, request: HttpRequest, verb: JobVerb, jobs: list[Job], priority: int) -> None:
        whys = [obey(request.user, verb, job, priority) for job in jobs]
        refused = Counter(why for why in whys if why)
        done = len(whys) - refused.total()
        level = messages.SUCCESS if done else messages.WARNING
        messages.add_message(request, level, outcome(verb, done, refused))

    def _ask(
        self,
        request: HttpRequest,
        verb: JobVerb,
        matching: Matching,
        *,
        jobs: list[Job] | None = None,
        batch: Batch | None = None,
    ) -> TemplateResponse:
        """Show what would be done to which jobs, and a button that does it."""
        named = jobs if jobs is not None else list(matching.ordered()[:NAMED])
        count = len(named) if batch is None else batch.total
        context = {
            "title": counted(verb, count, batch.priority if batch else 0),
            "verb": verb,
            "matching": matching,
            "batch": batch,
            "count": count,
            "jobs": named,
            "more": count - len(named),
        }
        return self._answer(request, "admin/ask.html", context)

    def _go_on(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        """Do the next part of a command to all that match; a page tells how far it is."""
        self._need(request, batch.verb.permission)
        if batch.advance(request.user):
            level = messages.SUCCESS if batch.done else messages.WARNING
            messages.add_message(request, level, outcome(batch.verb, batch.done, batch.refused))
            return HttpResponseRedirect(reverse(LIST) + batch.query)
        title = f"{batch.verb.label}: {batch.asked:,} of {batch.total:,} jobs"
        return self._answer(request, "admin/batch.html", {"title": title, "batch": batch})

    # --- rights ------------------------------------------------------------

    def _verb(self, request: HttpRequest, name: str) -> JobVerb:
        self._need(request, "view")
        verb = BY_NAME.get(name)
        if verb is None:
            raise RequestError("not_found")
        self._need(request, verb.permission)
        return verb

    def _priority(self, request: HttpRequest, verb: JobVerb) -> int:
        return read_priority(request.POST.get("priority", "")) if verb.name == "priority" else 0

    def _may(self, request: HttpRequest, permission: str) -> bool:
        return bool(getattr(self, f"has_{permission}_permission")(request))

    def _need(self, request: HttpRequest, permission: str) -> None:
        if not self._may(request, permission):
            raise RequestError("forbidden")

    def _answer(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> TemplateResponse:
        frame = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**frame, **context})
