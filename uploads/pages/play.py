"""Watching a stream in the browser, finished or while it is being made."""

from hashlib import sha256
from pathlib import PurePosixPath

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from uploads.errors import RequestError
from uploads.models import Item, Job, Result
from uploads.operations.registry import find
from uploads.pages.asked import asked_job
from uploads.pages.early import Early, early
from uploads.pages.serve import Stretch, file_response, joined_response
from uploads.pages.tiles import PLAYLIST
from uploads.states import ItemState
from uploads.storage import store

VIDEO = "video/mp4"
MOST_STREAMS = 12


def _asked_item(request: HttpRequest, key: str, place: int) -> Item:
    """Return an item of the user's job that makes a stream; `place` counts from 1."""
    job = asked_job(request, key)
    items = job.items.filter(position=place - 1, stage__position=job.links - 1)
    item = items.select_related("stage").first()
    if item is None or not _streams(item):
        raise RequestError("not_found")
    return item


def streams(job: Job) -> list[Item]:
    """Return the job's files that can be watched, or will be, the first dozen."""
    stage = job.stages.order_by("-position")[0]
    try:
        early = find(stage.operation).plays_early
    except RequestError:
        return []
    return list(stage.items.exclude(state=ItemState.FAILED)[:MOST_STREAMS]) if early else []


def _streams(item: Item) -> bool:
    try:
        return find(item.stage.operation).plays_early
    except RequestError:
        return item.results.filter(media_type=PLAYLIST).exists()


@login_required
@require_safe
def watch(request: HttpRequest, key: str, place: int) -> HttpResponse:
    """Show the player of one stream; while it is being made, as far as it has come."""
    item = _asked_item(request, key, place)
    made = item.results.filter(role="result", media_type=PLAYLIST).first()
    poster = item.results.filter(role="preview", media_type="image/jpeg").first()
    context = {
        "section": "jobs",
        "job": item.job,
        "item": item,
        "place": place,
        "made": made,
        "poster": poster,
        "folder": PurePosixPath(made.relative_path).parent.name if made else "",
        "being_made": made is None and item.state == ItemState.OPEN,
        "seconds": made.meta.get("duration") if made else early(item).seconds(),
    }
    return render(request, "jobs/watch.html", context)


@login_required
@require_safe
async def stream(request: HttpRequest, key: str, place: int, name: str) -> HttpResponseBase:
    """Send a playlist of a stream, or the range of a file that it names."""
    found = await sync_to_async(_found)(request, key, place, name)
    if isinstance(found, Result):
        return await file_response(
            request,
            path=store.path(found.storage_key),
            name=name,
            media_type=found.media_type,
            etag=found.sha256,
            download=False,
        )
    if isinstance(found, str):
        return _playlist(found)
    etag = sha256("\n".join(str(stretch) for stretch in found).encode()).hexdigest()
    response = await joined_response(request, found, name=name, media_type=VIDEO, etag=etag)
    response["Cache-Control"] = (
        "private, no-store"  # it grows, and the result's bytes come after it
    )
    return response


def _found(request: HttpRequest, key: str, place: int, name: str) -> Result | str | list[Stretch]:
    item = _asked_item(request, key, place)
    made = item.results.filter(role__in=["result", "inner"], name=name)
    # Looked for once more at the end: the parts may have been joined just now.
    found = made.first() or _of_parts(early(item), name) or made.first()
    if not found:
        raise RequestError("not_found")
    return found


def _of_parts(there: Early, name: str) -> Result | str | list[Stretch] | None:
    if sound := there.sound(name):
        return sound
    return there.text(name) if name.endswith(".m3u8") else there.stretches(name)


def _playlist(text: str) -> HttpResponse:
    response = HttpResponse(text, content_type=PLAYLIST)
    response["Cache-Control"] = "private, no-store"
    return response
