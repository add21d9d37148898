"""Two ready groups for staff: Viewers may look at everything, Operators may command it as well."""

from typing import Any, Final

from django.apps import apps
from django.contrib.auth.management import create_permissions

VIEWERS: Final = "Viewers"
OPERATORS: Final = "Operators"
SEEN: Final = ("job", "upload", "worker")
COMMANDED: Final = ("change_job", "delete_job", "delete_upload")


def make_staff_groups(**_: Any) -> None:
    """Make the groups after a migration, where they are missing; permissions are only added.

    A group that somebody has renamed or deleted on purpose comes back empty of members.
    """
    from django.contrib.auth.models import Group, Permission

    create_permissions(apps.get_app_config("uploads"), verbosity=0)
    known = Permission.objects.filter(content_type__app_label="uploads")
    look = list(known.filter(codename__in=[f"view_{name}" for name in SEEN]))
    command = list(known.filter(codename__in=COMMANDED))
    for name, permissions in ((VIEWERS, look), (OPERATORS, look + command)):
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.add(*permissions)
