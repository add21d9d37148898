"""tus 1.0.0 at /files/: resumable uploads as async views behind the site's own sign-in."""

import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from uploads import storage
from uploads.conf import conf
from uploads.errors import RequestError, TidemillError
from uploads.intake import headers
from uploads.intake.arrival import arrive
from uploads.intake.body import pieces
from uploads.intake.room import check_size, reserve
from uploads.intake.writer import Ending, Writer, create_file, in_thread
from uploads.models import Upload
from uploads.models.keys import upload_key
from uploads.models.outage import outage
from uploads.names import cleaned_name, cleaned_path
from uploads.states import UploadState
from uploads.storage import store

log = logging.getLogger("tidemill.intake")

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


# --- the door -------------------------------------------------------------------


def door(**methods: View) -> View:
    """Return one view for the methods; every answer, refusals too, carries the protocol's headers."""

    @csrf_exempt  # checked below, after the version and the sign-in, and answered as JSON
    async def answer(request: HttpRequest, **where: str) -> HttpResponseBase:
        response: HttpResponseBase
        try:
            response = await _answered(methods, request, **where)
        except TidemillError as error:
            response = _refusal(error)
        except (OSError, DatabaseError, InterfaceError) as error:
            trouble = outage(error)
            if trouble is None:
                raise
            log.warning("%s %s: %s", request.method, request.path, error)
            response = _refusal(trouble)
        response["Tus-Resumable"] = headers.VERSION
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


async def _answered(
    methods: dict[str, View], request: HttpRequest, **where: str
) -> HttpResponseBase:
    method = request.method or ""
    if method == "OPTIONS":
        return _capabilities()
    if method == "POST":
        method = request.headers.get("X-HTTP-Method-Override", method).upper()
    if method not in methods:
        allowed = ", ".join(["OPTIONS", *methods])
        raise RequestError("method_not_allowed", method=method, allowed=allowed)
    if method != "GET":  # a download, by clients that know nothing of tus
        headers.check_version(request)
    user = await request.auser()
    if not user.is_authenticated:
        raise RequestError("not_signed_in")
    if _CsrfCheck(_nothing).process_view(request, _nothing, (), {}):
        raise RequestError("csrf")
    return await methods[method](request, **where)


class _CsrfCheck(CsrfViewMiddleware):
    """Django's own check, asked for its verdict only; a Bearer token has switched it off."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(reason, status=403)


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def _capabilities() -> HttpResponse:
    return HttpResponse(
        status=204,
        headers={
            "Tus-Version": headers.VERSION,
            "Tus-Extension": headers.EXTENSIONS,
            "Tus-Max-Size": str(conf.UPLOAD_MAX_BYTES),
            "Tus-Checksum-Algorithm": ",".join(headers.CHECKSUMS),
        },
    )


def _refusal(error: TidemillError) -> HttpResponse:
    response = JsonResponse(
        {"code": error.code, "message": error.text, "detail": error.fix}, status=error.status
    )
    match error.code:
        case "tus_version":
            response["Tus-Version"] = headers.VERSION
        case "offset_conflict":
            response["Upload-Offset"] = str(error.values["offset"])
        case "upload_busy":
            response["Retry-After"] = "1"
        case "database_away" | "disk_full":
            response["Retry-After"] = "5"
        case "upload_silent":
            response["Connection"] = "close"
    return response


# --- the methods ------------------------------------------------------------------


async def create(request: HttpRequest) -> HttpResponse:
    """Answer POST: announce an upload, perhaps with its first bytes (tus: creation)."""
    length = headers.number(request, "Upload-Length")
    with_bytes = request.content_type == headers.PIECE_TYPE
    checksum = headers.checksum(request)
    upload = await _announced(request, length)
    answer = HttpResponse(status=201)
    answer["Location"] = reverse("tus-upload", kwargs={"key": upload.key})
    if with_bytes or length == 0:
        async with await Writer.of(store.path(upload.storage_key)) as writer:
            await _append(request, upload, writer, checksum)
        answer["Upload-Offset"] = str(writer.offset)
    headers.set_expires(answer, upload.expires_at)
    return answer


async def head(request: HttpRequest, key: str) -> HttpResponse:
    """Answer HEAD: how many bytes are here; an older writer lets go first, so the number stays."""
    upload = await _found(request, key)
    offset = upload.length
    if not upload.is_complete:
        async with await Writer.of(store.path(upload.storage_key)) as writer:
            offset = writer.offset
        await _complete_if_whole(upload, offset)
    answer = HttpResponse(status=200)
    answer["Upload-Offset"] = str(offset)
    answer["Upload-Length"] = str(upload.length)
    if upload.metadata:
        answer["Upload-Metadata"] = upload.metadata
    headers.set_expires(answer, upload.expires_at)
    return answer


async def patch(request: HttpRequest, key: str) -> HttpResponse:
    """Answer PATCH: append a piece at the offset it names; acknowledged bytes are synced."""
    if request.content_type != headers.PIECE_TYPE:
        raise RequestError("not_offset_type")
    start = headers.number(request, "Upload-Offset")
    checksum = headers.checksum(request)
    upload = await _found(request, key)
    async with await Writer.of(store.path(upload.storage_key)) as writer:
        if writer.offset != start:
            raise RequestError("offset_conflict", start=start, offset=writer.offset)
        await _append(request, upload, writer, checksum)
    answer = HttpResponse(status=204)
    answer["Upload-Offset"] = str(writer.offset)
    headers.set_expires(answer, upload.expires_at)
    return answer


async def terminate(request: HttpRequest, key: str) -> HttpResponse:
    """Answer DELETE: give the upload up and free its bytes (tus: termination)."""
    upload = await _found(request, key)
    if upload.is_complete and await sync_to_async(upload.waiting_jobs)():
        raise RequestError("conflict", reason="an unfinished job uses this upload.")
    async with await Writer.of(store.path(upload.storage_key)):
        await sync_to_async(upload.remove)(UploadState.TERMINATED)
    return HttpResponse(status=204)


# --- steps of the methods ------------------------------------------------------------


async def _announced(request: HttpRequest, length: int) -> Upload:
    """Return a new row with its empty file, durable both; refusals cost no byte of the body."""
    sent = request.headers.get("Upload-Metadata", "")
    metadata = headers.metadata(sent)
    name = cleaned_name(metadata.get("filename") or metadata.get("name") or "")
    check_size(name, length)
    _check_body_fits(request, name, room=length, length=length)
    owner = await request.auser()
    key = upload_key()
    path = store.path(f"incoming/{key[:2]}/{key}")
    # The file comes first: a row whose file is missing would be an upload that can't go on.
    await in_thread(create_file, path)
    try:
        return await sync_to_async(reserve)(
            owner,
            key=key,
            name=name,
            relative_path=cleaned_path(metadata.get("relativePath") or ""),
            length=length,
            metadata=sent,
        )
    except DatabaseError:
        raise  # the row may be there: a sweep removes the file if it is not
    except BaseException:
        await in_thread(path.unlink)
        raise


async def _found(request: HttpRequest, key: str) -> Upload:
    """Return the user's own upload; foreign, unknown and terminated ones are all `not_found`."""
    upload = await Upload.objects.visible_to(await request.auser()).filter(key=key).afirst()
    if upload is None or upload.state == UploadState.TERMINATED:
        raise RequestError("not_found")
    if upload.state == UploadState.EXPIRED:
        raise RequestError("upload_expired", name=upload.name)
    return upload


async def _append(
    request: HttpRequest, upload: Upload, writer: Writer, checksum: headers.Checksum | None
) -> None:
    """Append the request's body; complete the upload with its last byte."""
    room = upload.length - writer.offset
    _check_body_fits(request, upload.name, room=room, length=upload.length)
    if storage.room.is_short():
        raise RequestError("disk_full")
    digest = checksum.start() if checksum else None
    if checksum:
        await writer.mark()
    ending = await writer.take(
        pieces(request), room, tell=functools.partial(_note, upload), digest=digest
    )
    if checksum and digest is not None:
        if ending is Ending.END and digest.digest() == checksum.digest:
            await writer.verified()
        else:
            await writer.refuse()
    await _note(upload, writer.offset)
    await _complete_if_whole(upload, writer.offset)
    _check_ending(ending, upload)
    if checksum and digest is not None and digest.digest() != checksum.digest:
        raise RequestError("checksum_mismatch")


def _check_body_fits(request: HttpRequest, name: str, *, room: int, length: int) -> None:
    announced = request.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > room:
        raise RequestError("beyond_length", name=name, length=length)


def _check_ending(ending: Ending, upload: Upload) -> None:
    match ending:
        case Ending.BEYOND:
            raise RequestError("beyond_length", name=upload.name, length=upload.length)
        case Ending.SILENT:
            raise RequestError("upload_silent", seconds=f"{conf.UPLOAD_IDLE_SECONDS:g}")
        case Ending.ASKED:
            raise RequestError("upload_busy")
        case Ending.FULL:
            raise RequestError("disk_full")


async def _note(upload: Upload, offset: int) -> None:
    """Write the offset down for the pages; a busy database does not stop the bytes."""
    try:
        await sync_to_async(upload.touch)(offset)
    except DatabaseError as error:
        log.warning("Could not note the offset of an upload: %s", error)


async def _complete_if_whole(upload: Upload, offset: int) -> None:
    if offset < upload.length or upload.is_complete:
        return
    try:
        won = await sync_to_async(arrive)(upload)
    except FileNotFoundError:
        raise RequestError("not_found") from None
    if not won:
        await upload.arefresh_from_db()
        if not upload.is_complete:
            raise RequestError("not_found")


def uploads_door() -> View:
    """Return the view of /files/."""
    return door(POST=create)


def upload_door(download: View) -> View:
    """Return the view of one upload; what answers GET knows more than the intake may."""
    return door(GET=download, HEAD=head, PATCH=patch, DELETE=terminate)
