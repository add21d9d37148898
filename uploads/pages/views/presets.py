"""The presets page: a person's own presets, kept from a job, shared as JSON, deleted."""

import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import SavedPreset
from uploads.pages.answers import SeeOther
from uploads.pages.asked import asked_job
from uploads.pages.own_presets import preset_words
from uploads.work.presets import find_preset, keep, keep_shared, shared
from uploads.work.submit import StageRequest


@require_safe
def presets(request: HttpRequest) -> HttpResponse:
    return _shown(request)


def _shown(request: HttpRequest, error: RequestError | None = None, text: str = "") -> HttpResponse:
    page = {
        "section": "presets",
        "presets": [preset_words(p) for p in SavedPreset.objects.visible_to(request.user)],
        "error": error,
        "text": text,
        "conf": conf,
    }
    return render(request, "presets.html", page, status=error.status if error else 200)


@require_POST
def keep_from_job(request: HttpRequest, key: str) -> HttpResponse:
    """Keep a job's operations with their options under a name."""
    job = asked_job(request, key)
    stages = [StageRequest(s.operation, s.options) for s in job.stages.order_by("position")]
    made = keep(request.user, request.POST.get("name", ""), stages, job.names)
    messages.success(request, f"“{made.name}” is kept.")
    return SeeOther("/presets/")


@require_POST
def bring(request: HttpRequest) -> HttpResponse:
    """Keep a preset that somebody shared, as a file or as text."""
    file = request.FILES.get("file")
    text = request.POST.get("text", "")
    try:
        if file is not None:
            if (file.size or 0) > conf.JSON_MAX_BYTES:
                raise RequestError("bad_preset", reason="the file is too large to be one.")
            text = file.read().decode(errors="replace")
        made = keep_shared(request.user, _parsed(text))
    except RequestError as error:
        return _shown(request, error, text[:20_000])
    messages.success(request, f"“{made.name}” is kept.")
    return SeeOther("/presets/")


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RequestError("bad_preset", reason="it is no JSON.") from None


@require_safe
def share(request: HttpRequest, key: str) -> HttpResponse:
    """Send a preset as a JSON file."""
    preset = find_preset(request.user, key)
    answer = JsonResponse(shared(preset), json_dumps_params={"indent": 2, "ensure_ascii": False})
    answer["Content-Disposition"] = f'attachment; filename="preset-{preset.key}.json"'
    return answer


@require_POST
def delete(request: HttpRequest, key: str) -> HttpResponse:
    preset = find_preset(request.user, key)
    preset.delete()
    messages.success(request, f"“{preset.name}” was deleted.")
    return SeeOther("/presets/")
