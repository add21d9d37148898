"""The hub: reads each watched job once for all its sockets and moves their cursors.

A bell says that a job moved, a look each second finds what no bell told. While no socket is
open nothing runs. Rows are read by `reading`; no fact is kept here, so a killed process
loses nothing.
"""

import asyncio
import logging
import time
from typing import Final
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError

from uploads import bell
from uploads.live.cursor import Cursor
from uploads.live.messages import Close, bye
from uploads.live.reading import Reading
from uploads.models import Job

log = logging.getLogger("tidemill.live")

LOOK_SECONDS: Final = 1.0
AGE_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.1
CROWD: Final = 200
CROWD_PAUSE_SECONDS: Final = 0.25


class Watch:
    """One watched job: its sockets' cursors, and what is known of it."""

    def __init__(self, job_pk: int) -> None:
        self.job_pk = job_pk
        self.cursors: set[Cursor] = set()
        self.seq = -1
        self.settled = False
        self.behind = False
        self.read_at = 0.0
        self.moved = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    @property
    def pause(self) -> float:
        """Return the least time between two updates: 10 a second, 4 before a crowd."""
        return CROWD_PAUSE_SECONDS if len(self.cursors) > CROWD else PAUSE_SECONDS

    def due(self, seq: int, *, new: bool) -> bool:
        """Tell whether a look should read it: it moved, or words may differ by now."""
        age = time.monotonic() - self.read_at
        return (
            self.behind
            or seq != self.seq
            or (not self.settled and age > (LOOK_SECONDS if new else AGE_SECONDS))
        )


class Hub:
    """All watches of one web process; made by `hub()`, one for each event loop."""

    def __init__(self) -> None:
        self._watches: dict[int, Watch] = {}
        self._reading = Reading()
        self._bell: bell.Listener | None = None
        self._looking: asyncio.Task[None] | None = None

    def sockets_of(self, user_pk: int) -> int:
        """Return how many cursors a user has in this process."""
        cursors = (c for watch in self._watches.values() for c in watch.cursors)
        return sum(cursor.user_pk == user_pk for cursor in cursors)

    def join(self, cursor: Cursor) -> None:
        """Start to move a cursor; its first message follows at once."""
        watch = self._watches.setdefault(cursor.job_pk, Watch(cursor.job_pk))
        watch.cursors.add(cursor)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_forever())
        if watch.task is None:
            watch.task = asyncio.create_task(self._serve(watch))
        watch.moved.set()

    async def leave(self, cursor: Cursor) -> None:
        """Forget a cursor; with the last one everything stops."""
        watch = self._watches.get(cursor.job_pk)
        if watch is None or cursor not in watch.cursors:
            return
        watch.cursors.discard(cursor)
        if not watch.cursors:
            del self._watches[cursor.job_pk]
            watch.moved.set()  # lets its task end
        if not self._watches:
            await self._shut()

    def seen(self, cursor: Cursor, seq: int) -> None:
        """Note an acknowledgement and send what it held back."""
        watch = self._watches.get(cursor.job_pk)
        if cursor.seen(seq) and watch is not None:
            watch.moved.set()

    # --- shutting, and the bell ------------------------------------------------

    async def _shut(self) -> None:
        reading, self._reading = self._reading, Reading()
        self._looking = None
        self._close_bell()
        await reading.close()

    async def _open_bell(self) -> None:
        if self._bell is not None:
            return
        opened = await self._reading.call(self._reading.listener)
        if self._looking is not asyncio.current_task():
            opened.close()  # the last socket left meanwhile
        else:
            self._bell = opened
            asyncio.get_running_loop().add_reader(self._bell.fileno(), self._rung)

    def _close_bell(self) -> None:
        if self._bell is not None:
            asyncio.get_running_loop().remove_reader(self._bell.fileno())
            self._bell.close()
            self._bell = None

    # --- hints -----------------------------------------------------------------

    def _rung(self) -> None:
        try:
            names = self._bell.take() if self._bell else []
        except Exception:  # a database's own error; the look opens the bell anew
            log.warning("the bell broke", exc_info=True)
            self._close_bell()
            return
        for name in set(names):
            watch = self._watches.get(int(name)) if name.isdigit() else None
            for moved in [watch] if watch else (self._watches.values() if not name else ()):
                moved.moved.set()

    async def _look_forever(self) -> None:
        while self._looking is asyncio.current_task():
            try:
                await self._open_bell()
            except (DatabaseError, InterfaceError, OSError) as error:
                log.warning("live pages are told by looking, there is no bell: %s", error)
            try:
                await self._look()
            except (DatabaseError, InterfaceError) as error:
                log.warning("the database is away; live pages wait: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        reading = self._reading
        if not self._watches:
            return
        new = await reading.call(reading.anything_new)
        seqs = await reading.call(reading.seqs, list(self._watches)) if new else {}
        for watch in list(self._watches.values()):
            if watch.due(seqs.get(watch.job_pk, -2) if new else watch.seq, new=new):
                watch.moved.set()
            for cursor in [c for c in watch.cursors if c.silent]:
                await cursor.line.end(Close.SILENT, bye("silent", 1000))

    # --- facts -----------------------------------------------------------------

    async def _serve(self, watch: Watch) -> None:
        while watch.cursors:
            await watch.moved.wait()
            # What moves during the pause is read at its end, in one cut.
            await asyncio.sleep(max(0.0, watch.read_at + watch.pause - time.monotonic()))
            watch.moved.clear()
            watch.read_at = time.monotonic()
            try:
                await self._tell(watch)
            except Job.DoesNotExist:
                await self._gone(watch)
            except (DatabaseError, InterfaceError) as error:
                watch.behind = True  # a later look tells it, also when nothing moves any more
                log.warning("job %s can't be read now: %s", watch.job_pk, error)
            except Exception:  # our own bug must not freeze the page for good
                log.exception("job %s can't be told", watch.job_pk)

    async def _tell(self, watch: Watch) -> None:
        watch.behind = False
        ready = [cursor for cursor in watch.cursors if cursor.ready]
        for cursor in watch.cursors.difference(ready):
            cursor.pass_over(watch.moved.set)
        if not ready:
            return
        places = {cursor.sent for cursor in ready}
        reading = self._reading
        told = await reading.call(reading.messages, watch.job_pk, places)
        watch.seq, watch.settled = told.seq, told.settled
        for cursor in ready:
            if cursor.sent in told.texts and not cursor.knows(told.seq, told.state):
                cursor.send(told.seq, told.state, told.texts[cursor.sent])

    async def _gone(self, watch: Watch) -> None:
        for cursor in list(watch.cursors):
            await cursor.line.end(Close.NOT_FOUND, bye("gone"))


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Return the hub of the running event loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
