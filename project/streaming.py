"""Daphne that streams request bodies and waits for slow readers; nothing of Tidemill in it.

Stock Daphne reads a whole body before the application runs and buffers whole answers in
memory (Daphne 483). These subclasses lean on insides of Daphne 4.2 and Twisted 26;
`project.web` uses the stock server on other versions.
"""
# ruff: noqa: N802, N815 - Twisted calls these names

import asyncio
from functools import partial
from typing import Any, Final

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from twisted.internet import defer, reactor
from twisted.web.http import HTTPChannel

MIB: Final = 1024 * 1024

HELD_MAX_BYTES: Final = 4 * MIB  # of one body, not yet taken by the application
HELD_LOW_BYTES: Final = 1 * MIB
DROP_MAX_BYTES: Final = 64 * MIB  # read and thrown away after an early answer
DROP_SECONDS: Final = 30
READER_SECONDS: Final = 300  # a reader that takes nothing for this long is gone
IDLE_SECONDS: Final = 60
STOP_SECONDS: Final = 5


class Arrived:
    """Stands where Twisted keeps a body; `closed` tells Daphne that it need not pass one on."""

    closed = True

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def close(self) -> None:
        """Do nothing; the bytes went straight to the application."""


class Inbox(asyncio.Queue[dict[str, Any]]):
    """The messages to one application; tells its request how many body bytes were taken."""

    def __init__(self, request: "StreamingRequest") -> None:
        super().__init__()
        self._request = request

    async def get(self) -> dict[str, Any]:
        message = await super().get()
        self._request.taken(len(message.get("body", b"")))
        return message


class Valve:
    """Open while the peer takes bytes; a push producer in Twisted's words."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.wait = self._open.wait

    def pauseProducing(self) -> None:
        self._open.clear()

    def resumeProducing(self) -> None:
        self._open.set()

    stopProducing = resumeProducing


class StreamingChannel(HTTPChannel):  # type: ignore[misc]
    """One connection; can stop reading it while the application is behind with a body."""

    holding = False

    def allHeadersReceived(self) -> None:
        super().allHeadersReceived()
        if self.length != 0:
            # After a possible "100 Continue", which must not follow an answer.
            self.requests[-1].start_early(self._command, self._path, self._version)

    def hold(self) -> None:
        """Stop reading; a client that is made to wait does not count as idle."""
        self.holding = True
        self._idle_seconds = self.setTimeout(None)
        self.transport.pauseProducing()

    def release(self) -> None:
        """Read again."""
        self.holding = False
        self.setTimeout(self._idle_seconds)
        self.transport.resumeProducing()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self.holding:
            self.transport.pauseProducing()


class StreamingRequest(WebRequest):  # type: ignore[misc]
    """One request whose body goes to the application as it arrives, with back-pressure both ways.

    An answer that comes before the body's end is sent at once; the rest of the body is
    read and dropped, so that it is never taken for the next request, up to a bound in
    bytes and seconds, after which the connection is closed.
    """

    channel: Any = None  # what is left when Twisted takes its own away
    content: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parsePOSTFormSubmission = False
        self.valve: Valve | None = None
        self._arriving = False
        self._answered = False
        self._held = 0
        self._dropped = 0
        self._drop_limit: Any = None

    # The body, inwards:
    def gotLength(self, length: int | None) -> None:
        if length == 0 or self.requestHeaders.hasHeader(b"Upgrade"):
            super().gotLength(length)
        else:
            self.content = Arrived()

    def start_early(self, command: bytes, uri: bytes, protocol: bytes) -> None:
        """Run the application now; Twisted would wait for the body's end."""
        if not isinstance(self.content, Arrived):
            return
        self._arriving = True
        self.method, self.uri, self.clientproto = command, uri, protocol
        self.path = uri.partition(b"?")[0]
        self.process()

    def handleContentChunk(self, data: bytes) -> None:
        if not self._arriving:
            super().handleContentChunk(data)
        elif self._answered or not self.application_queue:
            self._dropped += len(data)
            if self._dropped > DROP_MAX_BYTES:
                self._abort()
        else:
            self._held += len(data)
            self._pass_on(data, more=True)
            if self._held > HELD_MAX_BYTES and not self.channel.holding:
                self.channel.hold()

    def taken(self, count: int) -> None:
        """Note that the application took bytes; read on when few are left."""
        self._held -= count
        if self._held < HELD_LOW_BYTES and self.channel is not None and self.channel.holding:
            self.channel.release()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._arriving:
            super().requestReceived(command, path, version)
            return
        self._arriving = False
        if self._answered:
            self._finish()
        elif self.application_queue:
            self._pass_on(b"", more=False)

    def cut_body(self) -> bool:
        """Let the body end where it is, as if the client had gone; False when none is arriving."""
        if not self._arriving or self._answered or not self.application_queue:
            return False
        self.send_disconnect()
        return True

    def _pass_on(self, data: bytes, *, more: bool) -> None:
        self.application_queue.put_nowait({"type": "http.request", "body": data, "more_body": more})

    # The answer, outwards:
    def handle_reply(self, message: dict[str, Any]) -> None:
        if self.finished or self.channel is None or self._answered:
            return
        if message["type"] == "http.response.start" and self.valve is None:
            self.valve = Valve()
            self.registerProducer(self.valve, True)
        super().handle_reply(message)

    async def readable(self) -> None:
        """Wait until the client takes more bytes; one that takes none for long is cut off."""
        if self.valve is None:
            return
        try:
            async with asyncio.timeout(READER_SECONDS):
                await self.valve.wait()
        except TimeoutError:
            self._abort()

    def finish(self) -> None:
        if self._answered or self.channel is None:
            return
        self.unregisterProducer()
        self._open_valve()
        if self.channel.holding:
            self.channel.release()
        if not self._arriving:
            self._finish()
            return
        self._answered = True
        if self.responseHeaders.hasHeader(b"Connection"):
            self.channel.persistent = False
        self._drop_limit = reactor.callLater(DROP_SECONDS, self._abort)

    def _finish(self) -> None:
        self._forget_drop_limit()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self._forget_drop_limit()
        self._open_valve()
        super().connectionLost(reason)

    def _open_valve(self) -> None:
        if self.valve is not None:
            self.valve.resumeProducing()

    def _forget_drop_limit(self) -> None:
        if self._drop_limit is not None and self._drop_limit.active():
            self._drop_limit.cancel()

    def handle_exception(self, exception: BaseException) -> None:
        """Cut an answer that broke in its middle, so that the client does not take it as whole."""
        if self._response_started:
            self._abort()
        else:
            super().handle_exception(exception)

    def _abort(self) -> None:
        if self.channel is not None:
            self.channel.transport.abortConnection()


class StreamingFactory(HTTPFactory):  # type: ignore[misc]
    """Builds streaming connections; without TLS there is no HTTP/2 to choose."""

    protocol = StreamingChannel

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        channel.requestFactory = StreamingRequest
        return channel


class StreamingServer(Server):  # type: ignore[misc]
    """Daphne with the streaming request; stops within `STOP_SECONDS` of a signal."""

    idle_seconds: float = IDLE_SECONDS

    @property
    def http_factory(self) -> StreamingFactory:
        return self._factory

    @http_factory.setter
    def http_factory(self, stock: Any) -> None:
        # `Server.run` makes the factory itself and leaves no other place to change it.
        self._factory = StreamingFactory(self)
        self._factory.timeOut = self.idle_seconds

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if not isinstance(protocol, StreamingRequest):
            return super().create_application(protocol, scope)
        scope.setdefault("asgi", {"version": "3.0"})
        inbox = Inbox(protocol)
        running = self.application(scope, inbox.get, partial(self.handle_reply, protocol))
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(running)
        return inbox

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        await super().handle_reply(protocol, message)
        if isinstance(protocol, StreamingRequest):
            await protocol.readable()

    def kill_all_applications(self) -> Any:
        """Stop listening, end what runs and give it a few seconds to put its bytes away."""
        for listener in self.listeners:
            listener.addCallback(lambda port: port.stopListening())
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._end_applications()))

    async def _end_applications(self) -> None:
        running = set()
        for protocol, details in self.connections.items():
            application = details.get("application_instance")
            if application is None or application.done():
                continue
            running.add(application)
            if not (isinstance(protocol, StreamingRequest) and protocol.cut_body()):
                application.cancel()
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=STOP_SECONDS / 2)
        for application in late:
            application.cancel()
        if late:
            await asyncio.wait(late, timeout=STOP_SECONDS / 2)
