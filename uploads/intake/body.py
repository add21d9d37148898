"""A request's body as it arrives; knows nothing of uploads or of tus."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from django.http import HttpRequest

Receive = Callable[[], Awaitable[Any]]

READ_BYTES = 1024 * 1024


class Body:
    """One body, read once by `async for`; also the stream object that Django's request keeps.

    The iteration ends at the body's end or when the connection goes; bytes that
    arrived before a cut have been yielded by then.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._ended:
            message = await self._receive()
            self._ended = message["type"] == "http.disconnect" or not message.get("more_body")
            if piece := message.get("body"):
                yield piece

    def read(self, size: int = -1) -> bytes:
        """Refuse: Django's form parser must not wait for a body that is still on its way."""
        raise io.UnsupportedOperation("this body is read as it arrives")

    def close(self) -> None:
        """Do nothing; there is no file behind it."""


async def pieces(request: HttpRequest) -> AsyncIterator[bytes]:
    """Yield the body's bytes as they arrive, or piecewise where the server read it before."""
    stream = request._stream
    if isinstance(stream, Body):
        async for piece in stream:
            yield piece
    else:
        while piece := request.read(READ_BYTES):
            yield piece
