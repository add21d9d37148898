"""Every door of the house."""

from django.urls import include, path

urlpatterns = [
    path("", include("uploads.intake.urls")),
    path("", include("uploads.pages.urls")),
]

handler400 = "uploads.pages.views.errors.bad_request"
handler403 = "uploads.pages.views.errors.forbidden"
handler404 = "uploads.pages.views.errors.not_found"
handler500 = "uploads.pages.views.errors.failed"
