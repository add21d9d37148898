"""The uploads page: what is here, what needs its file again; delete."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import Upload
from uploads.pages.answers import SeeOther
from uploads.pages.files import blank_row, rows_of, with_jobs
from uploads.pages.space import space_of
from uploads.states import UploadState

PER_PAGE = 50


@require_safe
def uploads(request: HttpRequest) -> HttpResponse:
    """List the person's files; unfinished ones first, each told what it needs."""
    mine = Upload.objects.visible_to(request.user).alive()
    ghosts = rows_of(with_jobs(mine.filter(state=UploadState.RECEIVING))[:PER_PAGE])
    here = with_jobs(mine.filter(state=UploadState.COMPLETE))
    page = Paginator(here, PER_PAGE).get_page(request.GET.get("page"))
    shown: dict[str, Any] = {
        "section": "uploads",
        "ghosts": ghosts,
        "page": page,
        "blank_row": blank_row(),
        "rows": rows_of(page.object_list),
        "unused": mine.unused().filter(state=UploadState.COMPLETE).count(),
        "space": space_of(request.user),
        "conf": conf,
    }
    return render(request, "uploads.html", shown)


@require_POST
def delete(request: HttpRequest, key: str) -> HttpResponse:
    """Remove one file; refused while an unfinished job works on it."""
    upload = Upload.objects.visible_to(request.user).alive().filter(key=key).first()
    if upload is None:
        raise RequestError("not_found")
    if upload.is_complete and (jobs := upload.waiting_jobs()):
        raise RequestError("conflict", reason=f"the job “{jobs[0].name}” still needs this file.")
    upload.remove(UploadState.TERMINATED)
    messages.success(request, f"“{upload.name}” was removed.")
    return SeeOther("/" if request.POST.get("operation") else "/uploads/")


@require_POST
def delete_unused(request: HttpRequest) -> HttpResponse:
    """Remove every arrived file that no job refers to."""
    unused = Upload.objects.visible_to(request.user).unused().filter(state=UploadState.COMPLETE)
    count = sum(upload.remove(UploadState.TERMINATED) for upload in unused)
    messages.success(
        request, f"{count} files were removed." if count != 1 else "1 file was removed."
    )
    return SeeOther("/uploads/")
