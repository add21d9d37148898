"""Every door of the house."""

from django.urls import include, path

from uploads.intake import tus
from uploads.pages.health import health
from uploads.pages.metrics import metrics
from uploads.pages.upload_content import upload_content

urlpatterns = [
    path("admin/", include("uploads.admin.urls")),
    path("files/", tus.uploads_door(), name="tus"),
    path("files/<slug:key>", tus.upload_door(upload_content), name="tus-upload"),
    path("api/v1/", include("uploads.pages.api.urls")),
    path("healthz", health, name="health"),
    path("metrics", metrics, name="metrics"),
    path("", include("uploads.pages.urls")),
    path("", include("uploads.pages.job_urls")),
]

handler400 = "uploads.pages.views.errors.bad_request"
handler403 = "uploads.pages.views.errors.forbidden"
handler404 = "uploads.pages.views.errors.not_found"
handler500 = "uploads.pages.views.errors.failed"
