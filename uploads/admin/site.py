"""The admin site: its own, with the app's frame and sign-in; it refuses django-q2's models."""

from functools import update_wrapper
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models.base import ModelBase
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from uploads.admin.filters import owner_names
from uploads.admin.overview import overview
from uploads.errors import RequestError

# Its rows hold unsigned pickles: showing one runs whatever was written into the database.
REFUSED_APPS = frozenset({"django_q"})


class Console(AdminSite):
    """Serves at /admin/; its first page is the console, not a list of models."""

    site_header = site_title = "Workers"
    index_title = "Workers"
    enable_nav_sidebar = False
    empty_value_display = "–"

    def register(
        self,
        model_or_iterable: Any,
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        single = isinstance(model_or_iterable, ModelBase)
        models: list[Any] = [model_or_iterable] if single else list(model_or_iterable)
        for model in models:
            if model._meta.app_label in REFUSED_APPS:
                raise ImproperlyConfigured(f"{model.__name__} holds unsigned pickles; see site.py.")
        super().register(model_or_iterable, admin_class, **options)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Guard a view: strangers go to the sign-in, and those who are no staff find nothing."""
        guarded = super().admin_view(view, cacheable)

        def open_to_staff(request: HttpRequest, *args: Any, **names: Any) -> Any:
            if request.user.is_authenticated and not self.has_permission(request):
                raise RequestError("not_found")
            return guarded(request, *args, **names)

        return update_wrapper(open_to_staff, view)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        if not request.user.has_perm("uploads.view_job"):
            raise PermissionDenied
        context = {
            **self.each_context(request),
            "title": "Workers",
            "place": "index",
            "here": "admin:index",
        }
        if request.user.has_perm("uploads.change_hold"):
            context["owners"] = owner_names()
        request.current_app = self.name
        return TemplateResponse(request, "admin/console.html", {**context, **overview()})

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send strangers to the one sign-in; to those who are no staff there is nothing here."""
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index", current_app=self.name))
        if request.user.is_authenticated:
            raise RequestError("not_found")
        return redirect_to_login(request.GET.get("next", reverse("admin:index")), "/login/")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """There is one way out, the menu's."""
        raise RequestError("not_found")

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """A person's password is among the person's settings."""
        return HttpResponseRedirect("/settings/")

    def password_change_done(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        return HttpResponseRedirect("/settings/")

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """There is one first page."""
        return HttpResponseRedirect(reverse("admin:index", current_app=self.name))


console = Console(name="admin")
