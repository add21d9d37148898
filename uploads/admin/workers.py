"""Workers in the console: a card for each, with its heartbeat, step, memory and versions."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from uploads.admin.lists import AnyModelAdmin
from uploads.admin.overview import worker_cards
from uploads.admin.site import console
from uploads.errors import RequestError
from uploads.models import Worker
from uploads.models.pulse import lanes


@admin.register(Worker, site=console)
class WorkerAdmin(AnyModelAdmin):
    """To look at only: workers start, stop and are missed by themselves."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Worker | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Worker | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.cards_view)
        return [path("", view, name="uploads_worker_changelist")]

    def cards_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every worker, the silent ones marked; three queries more than the frame."""
        if not self.has_view_permission(request):
            raise RequestError("forbidden")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Workers and lanes",
            "workers": worker_cards(),
            "lanes": lanes(),
        }
        return TemplateResponse(request, "admin/workers.html", context)
