"""Every door of the house."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("uploads.pages.api.urls")),
]
