"""A cursor: one socket's place in one job. It holds numbers, never a queue of messages."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

WINDOW: Final = 16
SILENT_SECONDS: Final = 60


class Line(Protocol):
    """What a cursor needs of its socket."""

    def tell(self, text: str) -> Awaitable[None]: ...
    def end(self, code: int, last_words: str) -> Awaitable[None]: ...


class Cursor:
    """What one reader was sent and has seen; at most one message on its way, 16 unseen."""

    def __init__(self, job_pk: int, user_pk: int, after: int | None, line: Line) -> None:
        self.job_pk = job_pk
        self.user_pk = user_pk
        self.sent = after
        self.line = line
        self._told = ""
        self._unseen: deque[int] = deque()
        self._seen_at = time.monotonic()
        self._sending: asyncio.Task[None] | None = None
        self._passed_over: Callable[[], None] | None = None

    @property
    def ready(self) -> bool:
        """Tell whether it may be sent another message; a slow reader just skips some."""
        waits = self._sending is not None and not self._sending.done()
        return not waits and len(self._unseen) < WINDOW

    @property
    def silent(self) -> bool:
        """Tell whether its reader has stopped reading for good."""
        return not self.ready and time.monotonic() - self._seen_at > SILENT_SECONDS

    def knows(self, seq: int, state: str) -> bool:
        """Tell whether this reader was told this state already."""
        return self.sent == seq and self._told == state

    def send(self, seq: int, state: str, text: str) -> None:
        """Send the message that brings the reader to `seq`."""
        self.sent, self._told = seq, state
        self._unseen.append(seq)
        self._sending = asyncio.ensure_future(self._send(text))

    def pass_over(self, again: Callable[[], None]) -> None:
        """Note that there was news while it was not ready; `again` is called when the line is free."""
        self._passed_over = again

    async def _send(self, text: str) -> None:
        await _quietly(self.line.tell, text)
        again, self._passed_over = self._passed_over, None
        if again is not None:
            asyncio.get_running_loop().call_soon(again)  # after the end of this task

    def seen(self, seq: int) -> bool:
        """Note what the reader has seen; True when that makes room for more."""
        was_ready = self.ready
        self._seen_at = time.monotonic()
        while self._unseen and self._unseen[0] <= seq:
            self._unseen.popleft()
        return self.ready and not was_ready


async def _quietly(tell: Callable[[str], Awaitable[None]], text: str) -> None:
    try:
        await tell(text)
    except (OSError, RuntimeError):
        return  # the socket is closing; its consumer will leave
