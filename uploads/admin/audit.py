"""The record of staff's commands as a list: who, what, to which thing, when, and what came of it."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from uploads.admin.filters import SPANS
from uploads.admin.lists import AnyModelAdmin, page_of
from uploads.admin.site import console
from uploads.admin.verbs import VERBS
from uploads.errors import RequestError
from uploads.models import Job

LONGEST = 200
COMMANDS = (*(verb.label for verb in VERBS), "Limit", "Remove", "Try")
KINDS = {
    "job": "Job",
    "hold": "Pause",
    "lanelimit": "Limit",
    "upload": "Upload",
    "connection": "Connection",
    "user": "User",
    "group": "Group",
}


@admin.register(LogEntry, site=console)
class AuditAdmin(AnyModelAdmin):
    """To read only: nobody changes what is on record."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.list_view)
        return [path("", view, name="admin_logentry_changelist")]

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Show the record, fifty rows a page, the newest first."""
        if not self.has_view_permission(request):
            raise RequestError("forbidden")
        chosen = {
            name: request.GET.get(name, "").strip()[:LONGEST]
            for name in ("who", "what", "kind", "age", "q")
        }
        found = narrowed(LogEntry.objects.select_related("user", "content_type"), chosen)
        page = page_of(request, found.order_by("-pk"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Commands on record",
            "page": page,
            "jobs_there": jobs_there(list(page)),
            "is_narrowed": any(chosen.values()),
            "chosen": chosen,
            "query": "".join(
                f"{urlencode({name: kept})}&" for name, kept in chosen.items() if kept
            ),
            "commands": COMMANDS,
            "kinds": KINDS.items(),
            "ages": [(name, words) for name, (words, _) in SPANS.items()],
        }
        return TemplateResponse(request, "admin/audit.html", context)


def jobs_there(rows: list[LogEntry]) -> set[str]:
    """Return the keys of the jobs of these rows that are not deleted; one query."""
    return set(
        Job.objects.filter(key__in=[row.object_id or "" for row in rows]).values_list(
            "key", flat=True
        )
    )


def narrowed(rows: "QuerySet[LogEntry]", chosen: dict[str, Any]) -> "QuerySet[LogEntry]":
    """Return the rows that fit what was chosen; an empty value chooses nothing."""
    if chosen["who"]:
        rows = rows.filter(user__username=chosen["who"])
    if chosen["what"]:
        rows = rows.filter(change_message__startswith=chosen["what"])
    if chosen["kind"]:
        rows = rows.filter(content_type__model=chosen["kind"])
    if chosen["age"] in SPANS:
        moment = timezone.now() - SPANS[chosen["age"]][1]
        older = chosen["age"] == "older"
        rows = (
            rows.filter(action_time__lt=moment) if older else rows.filter(action_time__gte=moment)
        )
    if chosen["q"]:
        rows = rows.filter(Q(object_id=chosen["q"]) | Q(object_repr__icontains=chosen["q"]))
    return rows
