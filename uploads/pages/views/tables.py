"""What stands beside the box for a question: tables of chosen files, and what was asked before."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from uploads.models import Upload
from uploads.operations.data import TABLES
from uploads.pages.questions import earlier_questions
from uploads.states import UploadState
from uploads.work.glimpsing import glimpse_elsewhere, tables_of

MOST_FILES = 20


@require_POST
def tables(request: HttpRequest) -> HttpResponse:
    """Look into those of the person's tables that have arrived, and show them, in their order."""
    keys = list(dict.fromkeys(request.POST.getlist("uploads")))[:MOST_FILES]
    rows = Upload.objects.visible_to(request.user).filter(
        key__in=keys, state=UploadState.COMPLETE, media_type__in=TABLES
    )
    known = {upload.key: upload for upload in rows}
    chosen = [known[key] for key in keys if key in known]
    glimpse_elsewhere(chosen)
    page = {"files": tables_of(chosen), "more": len(request.POST.getlist("uploads")) > len(keys)}
    return render(request, "_file_tables.html", page)


@require_safe
def questions(request: HttpRequest) -> HttpResponse:
    """Show the person's earlier questions of an operation, for its box."""
    operation = request.GET.get("operation", "")
    found = earlier_questions(request.user, operation, request.GET.get("connection", ""))
    page = {"questions": found, "field": request.GET.get("field", "")}
    return render(request, "_questions.html", page)
