"""The ASGI application: Django with upload bodies as they arrive, websockets, static files.

Runs under `project.web`, and as well under stock Daphne, uvicorn and others.
"""

import asyncio
import io
import os
import tempfile
from typing import Any, Final

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.template.defaultfilters import filesizeformat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter  # noqa: E402

from project.static import with_static_files  # noqa: E402
from uploads.conf import conf  # noqa: E402
from uploads.errors import RequestError  # noqa: E402
from uploads.intake.body import Body, Receive  # noqa: E402
from uploads.live.identity import user_of  # noqa: E402
from uploads.live.routing import websocket_application  # noqa: E402
from uploads.pages.middleware import error_answer  # noqa: E402

UPLOADS: Final = "/files/"


class CappedBody:
    """The receiving side of an ordinary request, with the most bytes that it may have."""

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        headers = dict(scope["headers"])
        self.limit = _limit(scope["path"], headers.get(b"content-type", b""))
        self.announced = int(headers.get(b"content-length") or 0)
        self._receive = receive

    async def __call__(self) -> Any:
        return await self._receive()


class TooLarge(io.BytesIO):
    """The empty stand-in for a body that was refused; `limit` is what was allowed."""

    limit: int


class StreamingDjango(ASGIHandler):
    """Django whose views below /files/ read the body while it arrives, middleware included.

    Every other body is read before the view runs, as always, but no further than its limit.
    """

    chunk_size = 256 * 1024

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        streamed = scope["path"].startswith(UPLOADS)
        body: Any = Body(receive) if streamed else CappedBody(scope, receive)
        big = not streamed and body.limit == conf.FORM_MAX_BYTES
        # Middleware runs after the body has been read; a stranger must not fill the disk.
        if big and await sync_to_async(user_of)(scope) is None:
            body.limit = _plain_limit()
        await super().__call__(scope, body, send)

    async def read_body(self, receive: Any) -> Any:
        return receive if isinstance(receive, Body) else await _spooled(receive)

    async def listen_for_disconnect(self, receive: Any) -> None:
        if isinstance(receive, Body):
            # The view itself sees the end of its body and keeps the bytes; nothing cancels it.
            await asyncio.get_running_loop().create_future()
        await super().listen_for_disconnect(receive)

    def create_request(self, scope: Any, body_file: Any) -> Any:
        request, refusal = super().create_request(scope, body_file)
        if request is not None and isinstance(body_file, TooLarge):
            error = RequestError("body_too_large", limit=filesizeformat(body_file.limit))
            answer = error_answer(request, error)
            answer["Connection"] = "close"
            return None, answer
        return request, refusal


def _limit(path: str, content_type: bytes) -> int:
    if content_type.startswith(b"application/json") or path.startswith("/api/"):
        return conf.JSON_MAX_BYTES
    if content_type.startswith(b"multipart/form-data") and path == "/":
        return conf.FORM_MAX_BYTES
    return _plain_limit()


def _plain_limit() -> int:
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0)


async def _spooled(body: CappedBody) -> Any:
    """Read the body into memory or a temporary file; a `TooLarge` as soon as it exceeds its limit.

    A Content-Length above the limit is refused before any byte is read.
    """
    if body.announced > body.limit:
        return _too_large(body.limit)
    spool = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - Django closes it after the answer
        max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE, dir=settings.FILE_UPLOAD_TEMP_DIR
    )
    more = True
    while more:
        message = await body()
        if message["type"] == "http.disconnect":
            spool.close()
            raise RequestAborted
        spool.write(message.get("body", b""))
        if spool.tell() > body.limit:
            spool.close()
            return _too_large(body.limit)
        more = message.get("more_body", False)
    spool.seek(0)
    return spool


def _too_large(limit: int) -> TooLarge:
    stand_in = TooLarge()
    stand_in.limit = limit
    return stand_in


application = ProtocolTypeRouter(
    {"http": with_static_files(StreamingDjango()), "websocket": websocket_application}
)
