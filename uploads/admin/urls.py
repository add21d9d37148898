"""The console's doors; importing the modules registers their pages."""

from django.urls import path

from uploads.admin import audit, connections, files, jobs, people, workers
from uploads.admin.site import console

PAGES = (jobs, files, workers, connections, people, audit)

urlpatterns = [path("", console.urls)]
