"""The ASGI application: Django with upload bodies as they arrive, websockets, static files.

Runs under `project.web`, and as well under stock Daphne, uvicorn and others.
"""

import asyncio
import os
from typing import Any, Final

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.db import DatabaseError, InterfaceError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter  # noqa: E402

from project.static import with_static_files  # noqa: E402
from uploads.conf import conf  # noqa: E402
from uploads.errors import RequestError  # noqa: E402
from uploads.intake.body import Body, Receive  # noqa: E402
from uploads.intake.spool import FormFiles, Refused, spooled  # noqa: E402
from uploads.live.identity import user_of  # noqa: E402
from uploads.live.routing import websocket_application  # noqa: E402
from uploads.models.outage import outage  # noqa: E402
from uploads.pages.middleware import error_answer  # noqa: E402

UPLOADS: Final = "/files/"


class CappedBody:
    """The receiving side of an ordinary request, with the most bytes that it may have."""

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        headers = dict(scope["headers"])
        self.limit = _limit(scope["path"], headers.get(b"content-type", b""))
        self.announced = int(headers.get(b"content-length") or 0)
        self.refused: Refused | None = None
        self._receive = receive

    async def __call__(self) -> Any:
        return await self._receive()

    async def judge(self, scope: dict[str, Any]) -> None:
        """Allow a stranger little: middleware runs after the body has been read."""
        try:
            if await sync_to_async(user_of)(scope) is None:
                self.limit = _plain_limit()
        except (DatabaseError, InterfaceError) as error:
            self.refused = Refused(outage(error) or RequestError("database_away"))

    async def spooled(self) -> Any:
        """Return the whole body, or why it is refused."""
        return self.refused or await spooled(self, self.limit, self.announced)


class StreamingDjango(ASGIHandler):
    """Django whose views below /files/ read the body while it arrives, middleware included.

    Every other body is read before the view runs, as always, but no further than its limit.
    """

    chunk_size = 256 * 1024

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        streamed = scope["path"].startswith(UPLOADS)
        body: Any = Body(receive) if streamed else CappedBody(scope, receive)
        await super().__call__(scope, body, send)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        # Here, in the request's own thread: in a shared one an outage would hold up everybody.
        if isinstance(receive, CappedBody) and receive.limit == conf.FORM_MAX_BYTES:
            await receive.judge(scope)
        await super().handle(scope, receive, send)

    async def read_body(self, receive: Any) -> Any:
        return receive if isinstance(receive, Body) else await receive.spooled()

    async def listen_for_disconnect(self, receive: Any) -> None:
        if isinstance(receive, Body):
            # The view itself sees the end of its body and keeps the bytes; nothing cancels it.
            await asyncio.get_running_loop().create_future()
        await super().listen_for_disconnect(receive)

    def create_request(self, scope: Any, body_file: Any) -> Any:
        request, refusal = super().create_request(scope, body_file)
        if request is not None:
            request.upload_handlers = [FormFiles(request)]
        if request is not None and isinstance(body_file, Refused):
            answer = error_answer(request, body_file.error)
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


application = ProtocolTypeRouter(
    {"http": with_static_files(StreamingDjango()), "websocket": websocket_application}
)
