"""Django's entry to the one app."""

from django.apps import AppConfig


class UploadsConfig(AppConfig):
    name = "uploads"
    verbose_name = "Tidemill"
    default_auto_field = "django.db.models.BigAutoField"
