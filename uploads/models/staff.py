"""What staff may: two ready groups (Watchers look, Operators command as well), rights on holds."""

from typing import Any, Final

from django.apps import apps
from django.contrib.auth.management import create_permissions

WATCHERS: Final = "Watchers"
OPERATORS: Final = "Operators"
SEEN: Final = ("job", "upload", "worker", "hold", "logentry")
COMMANDED: Final = ("change_job", "delete_job", "delete_upload", "change_hold")


def may_hold(user: Any) -> bool:
    """Tell whether a user may pause other people's work and lift what staff hold."""
    return bool(user.is_staff and user.has_perm("uploads.change_hold"))


def may_see_holds(user: Any) -> bool:
    """Tell whether a user may see what of other people's work is paused."""
    return bool(user.is_staff and user.has_perm("uploads.view_hold"))


def make_staff_groups(**_: Any) -> None:
    """Make the groups after a migration, where they are missing; permissions are only added.

    A group that somebody has renamed or deleted on purpose comes back empty of members.
    """
    from django.contrib.auth.models import Group, Permission

    for app in ("uploads", "admin"):
        create_permissions(apps.get_app_config(app), verbosity=0)
    known = Permission.objects.filter(content_type__app_label__in=["uploads", "admin"])
    look = list(known.filter(codename__in=[f"view_{name}" for name in SEEN]))
    command = list(known.filter(codename__in=COMMANDED))
    for name, permissions in ((WATCHERS, look), (OPERATORS, look + command)):
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.add(*permissions)
