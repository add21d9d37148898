"""Every door of the house."""

from django.urls import path

from uploads.intake import tus
from uploads.pages.upload_content import upload_content

urlpatterns = [
    path("files/", tus.uploads_door(), name="tus"),
    path("files/<slug:key>", tus.upload_door(upload_content), name="tus-upload"),
]
