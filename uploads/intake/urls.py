"""Where uploads come in."""

from django.urls import path

from uploads.intake import tus

urlpatterns = [
    path("files/", tus.uploads_door, name="tus"),
    path("files/<slug:key>", tus.upload_door, name="tus-upload"),
]
