"""Django's entry to the one app."""

from django.apps import AppConfig


class UploadsConfig(AppConfig):
    name = "uploads"
    verbose_name = "Tidemill"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # The registries that they fill exist only once the apps are loaded.
        from django.db.models.signals import post_migrate

        from uploads import checks  # noqa: F401
        from uploads.models.staff import make_staff_groups

        post_migrate.connect(make_staff_groups, sender=self)
