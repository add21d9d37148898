"""Results: the gallery of a job, the bytes of one result or of its original, all as one ZIP."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from uploads.errors import RequestError
from uploads.models import Result
from uploads.models.chaining import roots
from uploads.models.result import ResultQuerySet
from uploads.pages.asked import asked_job, asked_result
from uploads.pages.job import operation_label
from uploads.pages.leaves import chosen_leaf, leaves, stretch
from uploads.pages.serve import file_response, leaf_response
from uploads.pages.tiles import PLAYLIST, tiles
from uploads.pages.zip_stream import ZipEntry, zip_response
from uploads.storage import store
from uploads.work.titles import chain_label

PAGE = 60
MOST_CHOSEN = 500


@login_required
@require_safe
def gallery(request: HttpRequest, key: str) -> HttpResponseBase:
    """Show a job's results, 60 a page, as pictures or as a table; `?q=` filters by name."""
    job = asked_job(request, key)
    found = _found(job.results.opened(), request)
    pages = Paginator(found.order_by("item__position", "step_id", "position"), PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {
        "section": "jobs",
        "job": job,
        "operation": chain_label(
            [operation_label(stage.operation) for stage in job.stages.order_by("position")]
        ),
        "page": page,
        "tiles": tiles(page.object_list),
        "total_bytes": job.results.finished().bytes_taken(),
        "q": request.GET.get("q", ""),
        "layout": "table" if request.GET.get("show") == "table" else "grid",
    }
    return render(request, "jobs/results.html", context)


def _found(results: ResultQuerySet, request: HttpRequest) -> ResultQuerySet:
    rows = results.select_related("item__upload", "item__stage", "job")
    words = request.GET.get("q", "").strip()[:200]
    return rows.filter(name__icontains=words) if words else rows


@login_required
@require_safe
async def archive(request: HttpRequest, key: str) -> HttpResponseBase:
    """Stream the job's results as a ZIP: all, those that `?q=` finds, or each `?r=KEY`."""
    name, entries = await sync_to_async(_chosen)(request, key)
    return await zip_response(request, entries, name)


def _chosen(request: HttpRequest, key: str) -> tuple[str, list[ZipEntry]]:
    job = asked_job(request, key)
    rows = _found(job.results.finished(), request)
    rows = rows.order_by("item__position", "step_id", "position")
    if chosen := request.GET.getlist("r"):
        named = Q(key__in=chosen[:MOST_CHOSEN])
        # What a chosen stream is made of comes with it.
        together = rows.filter(named, media_type=PLAYLIST).values("item")
        rows = rows.filter(named | Q(role="inner", item__in=together))
    entries = _entries(rows)
    if not entries:
        raise RequestError("not_found")
    plain = job.name.replace("/", " ").replace(":", " –")[:120]
    return f"{plain}.zip", entries


def _entries(results: Iterable[Result]) -> list[ZipEntry]:
    """Return the entries of these results; the folders of two streams are never one.

    The files in such a folder name each other, so the folder is numbered and not they.
    """
    owners: dict[str, int | None] = {}
    entries = []
    for result in results:
        folder = PurePosixPath(result.relative_path).parent
        if made_in := result.meta.get("folder"):
            folder = _numbered(folder, str(made_in).count("/"), result.item_id, owners)
        name = str(folder / result.name)
        path = store.path(result.storage_key)
        entries.append(ZipEntry(path, name, result.size_bytes, result.sha256))
    return entries


def _numbered(
    folder: PurePosixPath, depth: int, item_id: int | None, owners: dict[str, int | None]
) -> PurePosixPath:
    """Return the folder with its item's own one, `depth` levels above it, numbered where needed."""
    top = folder.parents[depth - 1] if 0 < depth < len(folder.parts) else folder
    return _own_folder(top, item_id, owners) / folder.relative_to(top)


def _own_folder(
    folder: PurePosixPath, item_id: int | None, owners: dict[str, int | None]
) -> PurePosixPath:
    candidate, count = folder, 1
    while owners.setdefault(str(candidate).casefold(), item_id) != item_id:
        count += 1
        candidate = folder.with_name(f"{folder.name} ({count})")
    return candidate


@login_required
@require_safe
async def content(request: HttpRequest, key: str) -> HttpResponseBase:
    """Send one result with Range; `?download=1` asks the browser to keep it, `?page=` for a page of it."""
    result = await sync_to_async(asked_result)(request, key)
    if found := leaves(result):
        leaf = chosen_leaf(found, request)
        return await leaf_response(
            request,
            stretch(result, leaf),
            name=result.name,
            etag=f"{result.sha256}-{leaf.number}",
            packed=leaf.number > 1,
        )
    return await file_response(
        request,
        path=store.path(result.storage_key),
        name=result.name,
        media_type=result.media_type,
        etag=result.sha256,
        download="download" in request.GET,
        page=result.meta.get("page") is True,
    )


@login_required
@require_safe
async def original(request: HttpRequest, key: str) -> HttpResponseBase:
    """Send the uploaded file that a result was made from, for the look before and after."""
    result = await sync_to_async(asked_result)(request, key)
    upload = roots([result.item])[result.item.pk].upload if result.item else None
    if upload is None or not upload.is_complete:
        raise RequestError("not_found")
    return await file_response(
        request,
        path=store.path(upload.storage_key),
        name=upload.name,
        media_type=upload.media_type,
        etag=upload.sha256,
        download="download" in request.GET,
    )
