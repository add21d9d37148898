"""The socket of one job's page: checks who it is, joins the hub, takes acknowledgements."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import InterfaceError, OperationalError

from uploads.conf import conf
from uploads.live.cursor import Cursor
from uploads.live.hub import Hub, hub
from uploads.live.identity import job_of, origin_allowed, user_of
from uploads.live.messages import Close, Refused, bye, read_ack

MESSAGES_PER_SECOND: Final = 20
AWAY_MS: Final = 3000  # when a page tries again while the database is away
ANSWER_SECONDS: Final = 4.0  # a page gives its socket up after 6 s without a word
LOOKUPS: Final = 2


@cache
def _threads() -> ThreadPoolExecutor:
    """Return threads for looking people up, apart from the one that all sockets' messages pass."""
    return ThreadPoolExecutor(LOOKUPS, thread_name_prefix="door")


class JobConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`/ws/jobs/KEY/?after=SEQ`: patches of one job until its reader may no longer see it."""

    hub: Hub
    cursor: Cursor | None = None
    checking: asyncio.Task[None] | None = None
    counted: tuple[int, int] = (0, 0)

    async def connect(self) -> None:
        if not origin_allowed(self.scope):
            raise DenyConnection
        await self.accept()
        self.hub = hub()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._find()
        except (OperationalError, InterfaceError, TimeoutError):
            await self.end(Close.AWAY, bye("away", AWAY_MS))
            return
        if isinstance(found, Close):
            await self.end(found, bye(found.name.lower()))
            return
        job_pk, user_pk = found
        if self.hub.sockets_of(user_pk) >= conf.SOCKETS_PER_USER:
            await self.end(Close.TOO_MANY, bye("too_many", 30_000))
            return
        self.cursor = Cursor(job_pk, user_pk, self._after(), self)
        self.checking = asyncio.create_task(self._check_forever())
        self.hub.join(self.cursor)

    def _after(self) -> int | None:
        text = parse_qs(self.scope["query_string"].decode("latin-1")).get("after", [""])[-1]
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    async def _find(self) -> tuple[int, int] | Close:
        """Return the job and the user by number, or why this socket may not stay."""
        ask = database_sync_to_async(self._find_now, thread_sensitive=False, executor=_threads())
        return await ask()  # type: ignore[no-any-return]

    def _find_now(self) -> tuple[int, int] | Close:
        user = user_of(self.scope)
        if user is None:
            return Close.NOT_SIGNED_IN
        job_pk = job_of(user, self.scope["url_route"]["kwargs"]["key"])
        return Close.NOT_FOUND if job_pk is None else (job_pk, user.pk)

    async def _check_forever(self) -> None:
        while True:
            await asyncio.sleep(conf.LIVE_CHECK_SECONDS)
            try:
                found = await self._find()
            except (OperationalError, InterfaceError):
                continue  # the database is away; the next look decides
            if isinstance(found, Close):
                await self.end(found, bye(found.name.lower()))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.cursor is None:
            return
        try:
            self._count()
            self.hub.seen(self.cursor, read_ack(text_data, self.cursor.sent or 0))
        except Refused as refused:
            await self.end(refused.code, bye("refused", 30_000))

    def _count(self) -> None:
        second = int(time.monotonic())
        count = self.counted[1] + 1 if self.counted[0] == second else 1
        self.counted = (second, count)
        if count > MESSAGES_PER_SECOND:
            raise Refused(Close.TOO_MANY)

    async def disconnect(self, code: int) -> None:
        await self._leave()

    async def _leave(self) -> None:
        cursor, self.cursor = self.cursor, None
        if self.checking is not None and self.checking is not asyncio.current_task():
            self.checking.cancel()
        if cursor is not None:
            await self.hub.leave(cursor)

    # --- the cursor's line ---------------------------------------------------

    async def tell(self, text: str) -> None:
        """Send one message."""
        await self.send(text_data=text)

    async def end(self, code: int, last_words: str) -> None:
        """Say why and close."""
        await self.tell(last_words)
        await self.close(code=int(code))  # Daphne takes no enum
        await self._leave()


class NoSuchDoor(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Any other address: closed as an unknown job is."""

    async def connect(self) -> None:
        raise DenyConnection

    async def receive(self, **message: Any) -> None:
        return
