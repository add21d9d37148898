"""Every door of the house."""

from django.urls import include, path

urlpatterns = [
    path("", include("uploads.intake.urls")),
    path("", include("uploads.pages.job_urls")),
]
