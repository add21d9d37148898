"""Workers in the console: a card for each, the lanes they serve, pauses, and limits of lanes."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from uploads.admin.filters import owner_names
from uploads.admin.holds import command, holds, lane_cards, limit_command, over_quota
from uploads.admin.host import this_host
from uploads.admin.lists import AnyModelAdmin
from uploads.admin.overview import worker_cards
from uploads.admin.site import console
from uploads.errors import RequestError
from uploads.models import Worker

BACK = ("admin:index", "admin:uploads_worker_changelist")


@admin.register(Worker, site=console)
class WorkerAdmin(AnyModelAdmin):
    """To look at only: workers start, stop and are missed by themselves; lanes can be paused."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Worker | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Worker | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.cards_view), name="uploads_worker_changelist"),
            path("hold/", view(require_POST(self.hold_view)), name="uploads_hold"),
            path("limit/", view(require_POST(self.limit_view)), name="uploads_limit"),
        ]

    def cards_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every worker, the silent ones greyed; six queries more than the frame."""
        if not self.has_view_permission(request):
            raise RequestError("forbidden")
        held = holds()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Workers and lanes",
            "here": BACK[1],
            "owners": owner_names() if request.user.has_perm("uploads.change_hold") else [],
            "workers": worker_cards(),
            "lanes": lane_cards(held=held),
            "holds": held,
            "over_quota": over_quota(),
            "host": this_host(),
        }
        return TemplateResponse(request, "admin/workers.html", context)

    def hold_view(self, request: HttpRequest) -> HttpResponse:
        """Pause, or go on with, all work, a lane or one person's jobs."""
        return self._obey(request, command)

    def limit_view(self, request: HttpRequest) -> HttpResponse:
        """Set how many steps of a lane run at once, or lift the limit."""
        return self._obey(request, limit_command)

    def _obey(
        self, request: HttpRequest, given: Callable[[Any, Any], tuple[bool, str]]
    ) -> HttpResponse:
        """Do what a form says with the right to pause; tell it on the page that it came from."""
        if not request.user.has_perm("uploads.change_hold"):
            raise RequestError("forbidden")
        try:
            changed, words = given(request.user, request.POST)
            level = messages.SUCCESS if changed else messages.WARNING
        except RequestError as error:
            level, words = messages.ERROR, str(error.values.get("reason", error.text))
        messages.add_message(request, level, f"{words[0].upper()}{words[1:]}")
        back = request.POST.get("back", "")
        return HttpResponseRedirect(reverse(back if back in BACK else BACK[0]))
