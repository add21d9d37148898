"""People and groups: who may sign in, and which staff may look or command."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import ManyToManyField, QuerySet
from django.forms import CheckboxSelectMultiple, ModelMultipleChoiceField
from django.http import HttpRequest

from uploads.admin.site import console
from uploads.models import Job, Upload
from uploads.models.staff import COMMANDED, SEEN

if TYPE_CHECKING:
    PeopleAdmin = UserAdmin[User]
    RightsChoice = ModelMultipleChoiceField[Permission]
else:
    PeopleAdmin = UserAdmin
    RightsChoice = ModelMultipleChoiceField

PEOPLE = ("view_user", "add_user", "change_user", "delete_user")
CONNECTIONS = tuple(f"{deed}_connection" for deed in ("view", "add", "change", "delete"))

KEPT = (
    "There are jobs, uploads or commands on record of this user, so there is no Delete here. "
    "Untick Active instead: nobody signs in with this name any more."
)


@admin.register(User, site=console)
class PersonAdmin(PeopleAdmin):
    """Accounts; rights come by groups, so that a look at a group tells who may do what."""

    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("username", "password", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "groups", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    formfield_overrides = {ManyToManyField: {"widget": CheckboxSelectMultiple}}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only an administrator makes staff and administrators."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if request.user.is_superuser:
            return fields
        return (*fields, "is_staff", "is_superuser", "groups")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody but an administrator changes an administrator."""
        return self._not_above(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a person with work or commands on record: these would go as well."""
        if obj is not None and is_needed(obj):
            return False
        return self._not_above(request, obj) and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """People are deleted one by one, so that each is looked at."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not is_needed(obj):
            return fieldsets
        return [
            (title, {**shown, "description": KEPT} if title == "Rights" else shown)
            for title, shown in fieldsets
        ]

    @staticmethod
    def _not_above(request: HttpRequest, obj: Any) -> bool:
        mine: Any = request.user
        return bool(mine.is_superuser or obj is None or not (obj.is_superuser or obj.is_staff))


def is_needed(person: User) -> bool:
    """Tell whether deleting a person would take jobs, uploads or rows of the record along."""
    rows = (Job.objects.filter(owner=person), Upload.objects.filter(owner=person))
    commands = LogEntry.objects.filter(user=person)
    return any(found.exists() for found in (*rows, commands))


class RightsField(RightsChoice):
    """Rights in plain words: “View job”, not “Tidemill | job | Can view job”."""

    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name).removeprefix("Can ").capitalize()


@admin.register(Group, site=console)
class RightsAdmin(GroupAdmin):
    """Groups, with the rights that mean something in this house."""

    filter_horizontal = ()

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> "ModelMultipleChoiceField[Any] | None":
        if db_field.name == "permissions":
            kwargs["queryset"] = meaningful_rights()
            kwargs["widget"] = CheckboxSelectMultiple
            kwargs["form_class"] = RightsField
        return super().formfield_for_manytomany(db_field, request, **kwargs)


def meaningful_rights() -> QuerySet[Permission]:
    """Return the permissions that a page of the console asks for."""
    names = [*(f"view_{name}" for name in SEEN), *COMMANDED, *PEOPLE, *CONNECTIONS]
    rows = Permission.objects.filter(
        codename__in=names, content_type__app_label__in=["uploads", "auth", "admin"]
    )
    return rows.select_related("content_type")
