"""Uploads in the console: what has come, what is coming, what takes the room."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path

from uploads.admin.lists import AnyModelAdmin, CappedPaginator
from uploads.admin.site import console
from uploads.models import Upload
from uploads.models.deeds import note
from uploads.states import UploadState

AT_ONCE = 500


class UploadStateFilter(admin.SimpleListFilter):
    """By where the bytes are."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, state.value.capitalize()) for state in UploadState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(Upload, site=console)
class UploadAdmin(AnyModelAdmin):
    """A list; a file's content is its owner's alone."""

    # The cells are in templates/admin/uploads/upload/change_list_results.html.
    list_display = ("name",)
    list_display_links = None
    list_select_related = ("owner",)
    list_filter = (UploadStateFilter,)
    list_per_page = 50
    list_max_show_all = 50
    search_fields = ("=key", "name", "=owner__username")
    search_help_text = "Name, key or owner"
    ordering = ("-pk",)
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    actions = ("give_up",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name="uploads_upload_changelist")]

    @admin.action(permissions=["delete"], description="Remove those that no unfinished job uses")
    def give_up(self, request: HttpRequest, chosen: QuerySet[Upload]) -> None:
        """Free the bytes of the chosen uploads; of more than 500 the rest is told, not dropped."""
        removed = kept = 0
        rest = max(0, chosen.count() - AT_ONCE)
        for upload in chosen.order_by("pk")[:AT_ONCE]:
            if not upload.waiting_jobs() and upload.remove(UploadState.TERMINATED):
                note(
                    request.user, "Remove", "done.", about=Upload, key=upload.key, name=upload.name
                )
                removed += 1
            else:
                kept += 1
        words = f"{removed} removed" + (f"; {kept} are in use or were gone." if kept else ".")
        if rest:
            words += f" {rest:,} more were chosen and are untouched: send the command again."
        self.message_user(request, words, messages.SUCCESS if removed else messages.WARNING)
