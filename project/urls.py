"""Every door of the house."""

from django.urls import include, path

from uploads.pages.health import health
from uploads.pages.metrics import metrics

urlpatterns = [
    path("api/v1/", include("uploads.pages.api.urls")),
    path("healthz", health, name="health"),
    path("metrics", metrics, name="metrics"),
    path("", include("uploads.intake.urls")),
]
