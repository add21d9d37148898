"""Stored files on their way out: ranges and safe headers; who may see them is asked before.

Never Django's FileResponse: under ASGI it reads the whole file into memory and ignores Range.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import http_date, parse_etags, parse_http_date_safe

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.names import cleaned_name
from uploads.storage import store

READ_BYTES: Final = 256 * 1024

# Shown in the browser; everything else is a download, whatever the caller asks for.
INLINE: Final = frozenset(
    {
        "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp",
        "audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/flac", "audio/webm",
        "audio/x-wav", "video/mp4", "video/webm", "video/ogg", "video/quicktime",
        "text/plain", "text/csv", "text/vtt", "text/tab-separated-values", "application/json",
        "application/vnd.apple.mpegurl",
    }
)  # fmt: skip


# The page's origin is none of ours; it has its own styles and nothing else.
PAGE_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)


@dataclass(frozen=True)
class Span:
    """The bytes to send of a body: `start` inclusive, `end` exclusive."""

    start: int
    end: int


@dataclass(frozen=True)
class Stretch:
    """So many bytes of a stored file."""

    path: Path
    offset: int
    size: int


Pieces = Callable[[Span], AsyncIterator[bytes]]


async def file_response(
    request: HttpRequest,
    *,
    path: Path,
    name: str,
    media_type: str,
    etag: str,
    download: bool,
    page: bool = False,
) -> HttpResponseBase:
    """Return the file, or the range, 304 or 416 that the request asks for; constant memory.

    `etag` is the bytes' sha256, or '' when it is not known; RequestError `file_gone` when
    the file is. A `page` is HTML of an operation: it is shown, without scripts and without a
    right to fetch anything, also in a frame of ours. With `TIDEMILL_ACCEL_PREFIX` the proxy in front sends the bytes.
    """
    try:
        file = await asyncio.to_thread(path.open, "rb", buffering=0)
    except FileNotFoundError:
        raise RequestError("file_gone", name=name) from None
    status = os.fstat(file.fileno())
    etag = etag or f"{status.st_mtime_ns:x}-{status.st_size:x}"
    if conf.ACCEL_PREFIX:
        response: HttpResponseBase = HttpResponse()
        response["X-Accel-Redirect"] = conf.ACCEL_PREFIX + quote(str(path.relative_to(store.root)))
    else:
        response = ranged(
            request,
            size=status.st_size,
            etag=etag,
            modified=int(status.st_mtime),
            pieces=lambda span: _file_pieces(file, span),
        )
    # Django closes these after the answer, also when nobody read its body.
    response._resource_closers.append(file.close)  # type: ignore[attr-defined]
    page = page and media_type == "text/html"
    shown = not download and (page or media_type in INLINE)
    guard(response, name=name, media_type=media_type, disposition="inline" if shown else "")
    if page and shown:
        _show_as_page(response)
    return response


def _show_as_page(response: HttpResponseBase) -> None:
    response["Content-Security-Policy"] = PAGE_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"


async def leaf_response(
    request: HttpRequest, stretch: Stretch, *, name: str, etag: str, packed: bool
) -> HttpResponseBase:
    """Return one of several pages that lie in a file, as `file_response` shows a page.

    A `packed` one is sent as it lies there, in gzip, which every browser takes.
    """
    if not await asyncio.to_thread(stretch.path.exists):
        raise RequestError("file_gone", name=name)
    response = await joined_response(
        request, [stretch], name=name, media_type="text/html", etag=etag
    )
    _show_as_page(response)
    if packed:
        response["Content-Encoding"] = "gzip"
    return response


async def joined_response(
    request: HttpRequest, stretches: Sequence[Stretch], *, name: str, media_type: str, etag: str
) -> HttpResponseBase:
    """Return stretches of several files as one, or the range of it that is asked for."""
    response = ranged(
        request,
        size=sum(stretch.size for stretch in stretches),
        etag=etag,
        modified=0,
        pieces=lambda span: _joined_pieces(stretches, span),
    )
    guard(response, name=name, media_type=media_type, disposition="inline")
    return response


# --- ranges ---------------------------------------------------------------------


def ranged(
    request: HttpRequest, *, size: int, etag: str, modified: int, pieces: Pieces
) -> HttpResponseBase:
    """Return 200, 206, 304 or 416 with the headers of RFC 9110, sections 13 and 14."""
    quoted = f'"{etag}"'
    status, span = _wanted(request, size=size, etag=quoted, modified=modified)
    response: HttpResponseBase
    if status in {304, 416} or request.method == "HEAD":
        response = HttpResponse(status=status)
    else:
        response = StreamingHttpResponse(pieces(span), status=status)
    if status == 416:
        response["Content-Range"] = f"bytes */{size}"
    elif status != 304:
        response["Content-Length"] = str(span.end - span.start)
    if status == 206:
        response["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = quoted
    if modified:
        response["Last-Modified"] = http_date(modified)
    return response


def _wanted(request: HttpRequest, *, size: int, etag: str, modified: int) -> tuple[int, Span]:
    whole = Span(0, size)
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or etag in {tag.removeprefix("W/") for tag in known}:
        return 304, whole
    if not known and modified and modified <= _seconds(request.headers.get("If-Modified-Since")):
        return 304, whole
    condition = request.headers.get("If-Range", etag)
    if condition != etag and (not modified or _seconds(condition) != modified):
        return 200, whole
    span = _span(request.headers.get("Range", ""), size)
    if span is None:
        return 200, whole
    return (206, span) if span.start < span.end else (416, whole)


def _seconds(date: str | None) -> int:
    return (parse_http_date_safe(date) if date else None) or 0


def _span(header: str, size: int) -> Span | None:
    """Return what one `bytes=` range asks for; None for no or several ranges, which get the whole.

    Empty when nothing of it exists.
    """
    unit, _, value = header.partition("=")
    first, dash, last = value.strip().partition("-")
    numbers = [part for part in (first, last) if part]
    if unit.strip().lower() != "bytes" or not dash or not numbers:
        return None
    if not all(part.isascii() and part.isdigit() and len(part) < 20 for part in numbers):
        return None
    if not first:
        return Span(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return Span(int(first), min(int(last) + 1, size) if last else size)


# --- bytes ----------------------------------------------------------------------


async def _file_pieces(file: BinaryIO, span: Span) -> AsyncIterator[bytes]:
    position = span.start
    while position < span.end:
        count = min(READ_BYTES, span.end - position)
        piece = await asyncio.to_thread(os.pread, file.fileno(), count, position)
        if not piece:
            raise OSError("the file became shorter while it was sent")
        position += len(piece)
        yield piece


async def _joined_pieces(stretches: Sequence[Stretch], span: Span) -> AsyncIterator[bytes]:
    position = 0
    for stretch in stretches:
        start = max(span.start - position, 0)
        end = min(span.end - position, stretch.size)
        position += stretch.size
        if start >= end:
            continue
        file = await asyncio.to_thread(stretch.path.open, "rb", buffering=0)
        with file:
            inside = Span(stretch.offset + start, stretch.offset + end)
            async for piece in _file_pieces(file, inside):
                yield piece


# --- headers --------------------------------------------------------------------


def guard(response: HttpResponseBase, *, name: str, media_type: str, disposition: str) -> None:
    """Set the headers that keep a user's file from acting as a page of ours."""
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    response["Content-Type"] = media_type + charset
    response["Content-Disposition"] = _disposition(disposition or "attachment", cleaned_name(name))
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "private, no-cache"


def _disposition(kind: str, name: str) -> str:
    """Return Content-Disposition with the name in ASCII for old clients and as RFC 5987 wants it."""
    plain = name.encode("ascii", "replace").decode().translate({34: "'", 92: "_", 37: "_"})
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
