"""Django's entry to the one app."""

import os

from django.apps import AppConfig


class UploadsConfig(AppConfig):
    name = "uploads"
    verbose_name = "Tidemill"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # The registries that they fill exist only once the apps are loaded.
        from django.db.models.signals import post_migrate

        from uploads import checks  # noqa: F401
        from uploads.conf import conf
        from uploads.models.staff import make_staff_groups
        from uploads.operations.registry import look_in

        look_in(path for path in conf.OPERATIONS_PATH.split(os.pathsep) if path)

        post_migrate.connect(make_staff_groups, sender=self)
