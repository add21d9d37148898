"""Connections in the console: register a database, say who may ask it, try it; the password only goes in."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import ManyToManyField
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from uploads.admin.lists import AnyModelAdmin
from uploads.admin.site import console
from uploads.errors import RequestError
from uploads.models import Connection
from uploads.models.deeds import note
from uploads.models.secret import SealBrokenError
from uploads.work.looking import look_elsewhere

KEPT = "Leave it empty to keep the one that is there. It is sealed, and never shown again."


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """The row, and a password that is written and never read."""

    password = forms.CharField(
        required=False,
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text=KEPT,
    )

    class Meta:
        model = Connection
        exclude: tuple[str, ...] = ()
        widgets = {"ca": forms.Textarea({"rows": 4, "class": "code", "spellcheck": "false"})}

    def clean(self) -> dict[str, Any]:
        """Ask for the password again where it would be sent to another address than before."""
        cleaned = super().clean() or {}
        if cleaned.get("password") or not self.instance.sealed or cleaned.get("kind") == "sqlite":
            return cleaned
        changed = {"kind", "host", "port", "user", "tls", "ca"} & set(self.changed_data)
        if changed:
            words = "The address has changed: enter the password again, so that it goes nowhere by mistake."
            self.add_error("password", words)
        return cleaned


@admin.register(Connection, site=console)
class ConnectionAdmin(AnyModelAdmin):
    """A list, a form, and Try it."""

    form = ConnectionForm
    change_form_template = "admin/uploads/connection/change_form.html"
    list_display = ("name", "kind", "enabled", "everyone", "looked_at", "state")
    list_filter = ("kind", "enabled")
    search_fields = ("name",)
    filter_horizontal = ()
    show_facets = admin.ShowFacets.NEVER
    formfield_overrides = {ManyToManyField: {"widget": CheckboxSelectMultiple}}
    fieldsets = (
        (None, {"fields": ("name", "kind", "host", "port", "database", "user", "password")}),
        ("Encryption", {"fields": ("tls", "ca")}),
        ("Who may ask it", {"fields": ("enabled", "everyone", "people", "groups")}),
        (
            "At most",
            {
                "fields": ("max_seconds", "max_rows", "max_bytes"),
                "description": "Of one question. Empty: as the settings TIDEMILL_DB_MAX_… say.",
            },
        ),
    )

    @admin.display(description="state")
    def state(self, row: Connection) -> str:
        """Return in a word how the last look went."""
        if row.trouble:
            return "can't be asked"
        if not row.looked_at:
            return "not tried"
        return "could do more than read" if row.found.get("warnings") else "fine"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Connections are deleted one by one, so that each is looked at."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        if password := form.cleaned_data["password"]:
            obj.set_password(password)
        elif obj.is_file:
            obj.sealed = ""
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_view)
        return [path("<int:number>/try/", view, name="uploads_connection_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Try a connection from a program of its own, and show in words what it saw."""
        if request.method != "POST":
            raise RequestError("method_not_allowed", method=request.method, allowed="POST")
        connection = Connection.objects.filter(pk=number).first()
        if connection is None:
            raise RequestError("not_found")
        if not self.has_change_permission(request, connection):
            raise RequestError("forbidden")
        look_elsewhere(connection, anew=True)
        said = connection.trouble or "it can be asked."
        note(request.user, "Try", said, about=Connection, key=str(number), name=connection.name)
        return HttpResponseRedirect(reverse("admin:uploads_connection_change", args=[number]))

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Say beside the form what the last look saw."""
        connection = context.get("original")
        if connection is not None:
            context["password_words"] = password_words(connection)
        return super().render_change_form(request, context, *args, **kwargs)


def password_words(connection: Connection) -> str:
    """Return in words what is known of the password, which itself is not told."""
    if not connection.sealed:
        return "" if connection.is_file else "No password is kept."
    try:
        connection.password()
    except SealBrokenError:
        return "The password that is kept can't be read any more; enter it again."
    return "A password is kept, sealed."
