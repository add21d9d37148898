"""The new-job page: files in, an operation, Start; with and without JavaScript."""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.intake.form import receive_form_file
from uploads.models import Connection, Preferences
from uploads.pages.again import Again, again, from_preset
from uploads.pages.alone import address_of, starters
from uploads.pages.answers import SeeOther
from uploads.pages.files import FileRow, blank_row, chosen, waiting_for_a_job
from uploads.pages.links import follow_up, follow_ups, sent_stages
from uploads.pages.names import NamesField
from uploads.pages.offers import offers
from uploads.pages.own import sent_own, with_own
from uploads.pages.own_presets import MARK, own_presets
from uploads.pages.samples import start_samples
from uploads.pages.space import space_of
from uploads.work.presets import find_preset
from uploads.work.submit import JobRequest, submit

FIELD_ERRORS = {
    "no_files": "files",
    "upload_missing": "files",
    "too_many_files": "files",
    "over_quota": "files",
    "upload_too_large": "files",
    "disk_full": "files",
    "empty_file": "files",
    "unknown_operation": "operation",
    "nothing_fits": "operation",
    "bad_names": "names",
    "invalid_options": "options",
    "unknown_field": "options",
}


@require_http_methods(["GET", "POST"])
def new_job(request: HttpRequest) -> HttpResponse:
    """Show the page; POST starts the job and goes to it, or shows what is wrong, files kept."""
    if request.method == "POST":
        return _start(request)
    if key := request.GET.get("again"):
        before = again(request.user, key)
        if alone := address_of(before.operation):
            return SeeOther(f"{alone}?again={key}")
        # Rows that no job is shown for are sent along with the form.
        rows = [replace(row, jobs=[]) for row in chosen(request.user, before.keys)]
        rows = with_own(rows, before.operation, before.own)
        return render(request, "new.html", _page(request, rows, before=before))
    if key := request.GET.get("preset"):
        filled = from_preset(request.user, key)
        if alone := address_of(filled.operation):
            return SeeOther(f"{alone}?preset={key}")
        rows = waiting_for_a_job(request.user)
        return render(request, "new.html", _page(request, rows, before=filled))
    keys = request.GET.getlist("use")
    rows = chosen(request.user, keys) if keys else waiting_for_a_job(request.user)
    return render(request, "new.html", _page(request, rows))


@require_POST
def samples(request: HttpRequest) -> HttpResponse:
    """Show what Tidemill does with files that nobody needs to look for."""
    jobs = start_samples(request.user)
    return SeeOther(f"/jobs/{jobs[0].key}/")


def _start(request: HttpRequest) -> HttpResponse:
    keys = request.POST.getlist("uploads")
    try:
        for file in request.FILES.getlist("files"):
            keys.append(receive_form_file(request.user, file).key)
        if "add" in request.POST:
            return render(request, "new.html", _page(request, _rows(request, keys)))
        job = submit(request.user, _request(request, keys))
    except RequestError as error:
        page = _page(request, _rows(request, keys), error=error)
        return render(request, "new.html", page, status=error.status)
    return SeeOther(f"/jobs/{job.key}/")


def _rows(request: HttpRequest, keys: list[str]) -> list[FileRow]:
    """Return the rows of a form that came back, with what it says of single files if that is readable."""
    rows = chosen(request.user, keys)
    try:
        return with_own(rows, request.POST.get("operation", ""), sent_own(request.POST))
    except RequestError:
        return rows


def _request(request: HttpRequest, keys: list[str]) -> JobRequest:
    if not keys:
        raise RequestError("no_files")
    return JobRequest(
        sent_stages(request.user, request.POST),
        keys,
        name=request.POST.get("name", ""),
        notify=_recipient(request),
        sample=request.POST.get("sample") == "1",
        anew=request.POST.get("anew") == "on",
        overrides=sent_own(request.POST),
        names=request.POST.get("names", "").strip() or _preset_names(request),
    )


@require_safe
def then(request: HttpRequest, place: int) -> HttpResponse:
    """Show one more operation's choice alone, for the page's script to put in."""
    made = follow_up(request.user, place, request.GET.get("operation", ""))
    return render(request, "_follow_up.html", {"follow_up": made})


def _preset_names(request: HttpRequest) -> str:
    """Return the pattern of names of the chosen preset, if one of the person's own is chosen."""
    wanted = request.POST.get("operation", "")
    if not wanted.startswith(MARK):
        return ""
    return find_preset(request.user, wanted.removeprefix(MARK)).names


def _recipient(request: HttpRequest) -> str:
    """Return the person's own address when asked for; a form can't send e-mail elsewhere."""
    wanted = request.POST.get("notify") == "on" and conf.EMAIL_URL
    return str(getattr(request.user, "email", "")) if wanted else ""


def _page(
    request: HttpRequest,
    rows: list[FileRow],
    error: RequestError | None = None,
    before: Again | None = None,
) -> dict[str, Any]:
    data = request.POST if request.method == "POST" else None
    wanted = request.POST.get("operation") or request.GET.get("operation", "")
    filled = before.data if before else data
    names = filled.get("names", "") if filled else ""
    place = FIELD_ERRORS.get(error.code, "page") if error else ""
    if error and (after := error.values.get("place")):
        place = f"then-{after}"
    mail = data.get("notify") == "on" if data else Preferences.of(request.user).mail_when_done
    return {
        "section": "new",
        "decided": bool(wanted or before),
        "blank_row": blank_row(),
        "rows": rows,
        "follow_ups": follow_ups(request.user, filled, one_more=request.POST.get("add") == "then"),
        "own_presets": own_presets(request.user, data),
        "wanted": wanted,
        "starters": starters(),
        "can_ask": Connection.objects.usable_by(request.user).exists(),
        "most_operations": conf.JOB_MAX_OPERATIONS,
        "offers": offers(request.user, filled, before.operation if before else wanted),
        "space": space_of(request.user),
        "conf": conf,
        "form_max_bytes": conf.FORM_MAX_BYTES,
        "mail_possible": bool(conf.EMAIL_URL),
        "mail_wanted": mail,
        "anew": "anew" in (data or request.GET),
        "name": data.get("name", "") if data else "",
        "names": NamesField(names, rows[0].upload.name if rows else ""),
        "error": error,
        "error_at": place,
    }
