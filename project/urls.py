"""Every door of the house."""

from django.urls import include, path

from uploads.pages.health import health
from uploads.pages.metrics import metrics

urlpatterns = [
    path("admin/", include("uploads.admin.urls")),
    path("api/v1/", include("uploads.pages.api.urls")),
    path("healthz", health, name="health"),
    path("metrics", metrics, name="metrics"),
    path("", include("uploads.intake.urls")),
    path("", include("uploads.pages.urls")),
]

handler400 = "uploads.pages.views.errors.bad_request"
handler403 = "uploads.pages.views.errors.forbidden"
handler404 = "uploads.pages.views.errors.not_found"
handler500 = "uploads.pages.views.errors.failed"
