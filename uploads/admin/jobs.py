"""Jobs in the console: a list with live progress, bulk commands, and a page for each job."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from uploads.admin.filters import FILTERS
from uploads.admin.job_page import page_context
from uploads.admin.lists import AnyModelAdmin, CappedPaginator, JobChangeList
from uploads.admin.site import console
from uploads.admin.verbs import BY_NAME, VERBS, JobVerb, obey, outcome
from uploads.errors import RequestError
from uploads.models import Job

AT_ONCE = 500


def action_of(verb: JobVerb) -> Callable[..., Any]:
    """Return Django's action for a verb; at most 500 jobs at once, deletion asks first."""

    @admin.action(permissions=[verb.permission], description=verb.label)
    def act(
        self: "JobAdmin", request: HttpRequest, chosen: QuerySet[Job]
    ) -> TemplateResponse | None:
        if verb.name == "remove" and "sure" not in request.POST:
            return self.ask(request, chosen)
        changed, unchanged = obey(request.user, verb, chosen.order_by("pk")[:AT_ONCE])
        text = outcome(verb, changed, unchanged)
        level = messages.SUCCESS if changed else messages.WARNING
        self.message_user(request, text, level)
        return None

    act.__name__ = verb.name
    return act


@admin.register(Job, site=console)
class JobAdmin(AnyModelAdmin):
    """Lists by key; the database's numbers stay inside."""

    # The cells are in templates/admin/uploads/job/change_list_results.html.
    list_display = ("name",)
    list_display_links = None
    list_select_related = ("owner",)
    list_filter = FILTERS
    list_per_page = 50
    list_max_show_all = 50
    search_fields = ("=key", "name", "=owner__username")
    search_help_text = "Name, key or owner"
    ordering = ("-pk",)
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    actions = tuple(action_of(verb) for verb in VERBS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[JobChangeList]:
        return JobChangeList

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="uploads_job_changelist"),
            path("<slug:key>/change/", view(self.job_view), name="uploads_job_change"),
            path(
                "<slug:key>/<slug:verb>/",
                view(require_POST(self.verb_view)),
                name="uploads_job_verb",
            ),
        ]

    def find(self, key: str) -> Job:
        job = Job.objects.select_related("owner").filter(key=key).first()
        if job is None:
            raise RequestError("not_found")
        return job

    def job_view(self, request: HttpRequest, key: str) -> TemplateResponse:
        """Show one job: how it stands, its steps in time, what failed, what happened."""
        self._need(request, "view")
        job = self.find(key)
        allowed = {name for name in ("change", "delete") if self._may(request, name)}
        context = {
            **self.admin_site.each_context(request),
            **page_context(job, allowed),
            "opts": self.opts,
            "title": job.name,
        }
        return TemplateResponse(request, "admin/job.html", context)

    def verb_view(self, request: HttpRequest, key: str, verb: str) -> HttpResponse:
        """Do one command to one job, and go back to its page."""
        command = BY_NAME.get(verb)
        if command is None:
            raise RequestError("not_found")
        self._need(request, command.permission)
        job = self.find(key)
        changed, unchanged = obey(request.user, command, [job])
        text = outcome(command, changed, unchanged) if changed else "There was nothing to do."
        self.message_user(request, text, messages.SUCCESS if changed else messages.WARNING)
        if command.name == "remove":
            return HttpResponseRedirect(reverse("admin:uploads_job_changelist"))
        return HttpResponseRedirect(reverse("admin:uploads_job_change", args=[key]))

    def ask(self, request: HttpRequest, chosen: QuerySet[Job]) -> TemplateResponse:
        """Show what would be deleted, and a button that does it."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Delete jobs",
            "jobs": chosen.order_by("pk")[:AT_ONCE],
            "posted": request.POST.lists(),
        }
        return TemplateResponse(request, "admin/delete_jobs.html", context)

    def _may(self, request: HttpRequest, permission: str) -> bool:
        return bool(getattr(self, f"has_{permission}_permission")(request))

    def _need(self, request: HttpRequest, permission: str) -> None:
        if not self._may(request, permission):
            raise RequestError("forbidden")
