"""The hub's own database thread: looks which jobs moved and reads their cuts; knows no sockets."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, connection

from uploads import bell
from uploads.live.messages import encode
from uploads.models import Job
from uploads.models.feed import cut

T = TypeVar("T")
CHUNK = 500


@dataclass(frozen=True)
class Told:
    """One cut of a job as texts: the state alone, and a message for each place asked for."""

    seq: int
    settled: bool
    state: str
    texts: dict[int | None, str]


class Reading:
    """One thread with one connection; every method here but `call` runs in it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._version: int | None = None

    async def call(self, function: Callable[..., T], *values: object) -> T:
        """Run one of the methods below in the thread; a broken connection is dropped, and raised."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._guarded, function, values)

    def _guarded(self, function: Callable[..., T], values: tuple[object, ...]) -> T:
        try:
            return function(*values)
        except (DatabaseError, InterfaceError):
            connection.close()
            self._version = None  # each connection counts by itself, and what was new was not read
            raise

    @staticmethod
    def listener() -> bell.Listener:
        """Open the bell of jobs."""
        return bell.Listener(bell.JOB)

    def anything_new(self) -> bool:
        """Tell whether any other process has written since the last call; one PRAGMA on SQLite."""
        if connection.vendor != "sqlite":
            return True
        with connection.cursor() as cursor:
            version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
        moved = version != self._version
        self._version = version
        return moved

    @staticmethod
    def seqs(jobs: Iterable[int]) -> dict[int, int]:
        """Return the number at which each of these jobs stands; deleted ones are left out."""
        wanted = list(jobs)
        found: dict[int, int] = {}
        for start in range(0, len(wanted), CHUNK):
            rows = Job.objects.filter(pk__in=wanted[start : start + CHUNK])
            found.update(rows.values_list("pk", "seq"))
        return found

    @staticmethod
    def messages(job_pk: int, places: set[int | None]) -> Told:
        """Return a message for each place; raises `Job.DoesNotExist` when it was deleted."""
        made = cut(job_pk, places)
        texts = {place: encode(made.message(place)) for place in places}
        return Told(made.seq, made.settled, encode(made.state), texts)

    @staticmethod
    def hang_up() -> None:
        """Close the thread's connection."""
        connection.close()

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await self.call(self.hang_up)
        self._thread.shutdown(wait=False)
