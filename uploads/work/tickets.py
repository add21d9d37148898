"""Tickets: empty "look for work" messages, made when a worker is needed; knows no step's content.

A ticket is never stored. The lane's pusher waits on the bell and, while a step
is claimable, makes one; a lost ticket costs nothing, for the next look makes
another. See docs/decisions/0002-tickets-are-not-stored.md.
"""

import logging
import time
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from uploads import bell
from uploads.models import Step

logger = logging.getLogger("tidemill.tickets")

TARGET: Final = "uploads.work.run.drain"
LOOK_SECONDS: Final = 30.0
FIRST_PAUSE_SECONDS: Final = 0.05
AWAY_SECONDS: Final = 1.0

Message = tuple[int | None, str]


def ticket() -> str:
    """Return one signed ticket: no arguments, no time limit, nothing saved or acknowledged."""
    task = {
        "id": uuid4().hex,
        "name": "ticket",
        "func": TARGET,
        "args": (),
        "kwargs": {},
        "timeout": -1,
        "save": False,
        "started": timezone.now(),
    }
    package: str = SignedPackage.dumps(task)
    return package


class BellBroker(ORM):  # type: ignore[misc]
    """django-q2's ORM broker that waits on the bell and makes tickets for claimable steps.

    Ordinary tasks keep their rows and their acknowledgement. A burst makes at
    most one ticket for each worker; then only the bell, or a pause that doubles
    from 50 ms to 30 s, allows more. So a step that nobody may take (a limit, a
    full disk) does not turn into a busy loop.
    """

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._listener: bell.Listener | None = None
        self._burst = 0
        self._pause = FIRST_PAUSE_SECONDS

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:
        """Return the rows of ordinary tasks; a broken connection is closed, a good one kept."""
        if not connection.in_atomic_block and connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()
        return OrmQ.objects.using(Conf.ORM)

    def enqueue(self, task: str) -> int:
        """Store an ordinary task and ring on commit."""
        row: int = super().enqueue(task)
        transaction.on_commit(lambda: bell.ring(bell.WORK, self.list_key))
        return row

    def dequeue(self) -> list[Message] | None:
        """Return the next ordinary task or one ticket; otherwise wait and return None.

        While the database is away it only waits, instead of ending the pusher. Without a
        bell, as when the run folder has no room for its socket, it looks each second.
        """
        try:
            self._listen()
            if found := self._ordinary():
                return found
            if self._burst < Conf.WORKERS and Step.objects.claimable(self.list_key).exists():
                self._burst += 1
                return [(None, ticket())]
            self._wait()
        except DatabaseError as error:
            logger.warning("The database is away: %s", error)
            self._start_again()
            time.sleep(AWAY_SECONDS)
        return None

    def _listen(self) -> None:
        """Have a bell, opened before the look so that nothing is missed between."""
        if self._listener is not None:
            return
        try:
            self._listener = bell.Listener(bell.WORK)
        except OSError as error:
            logger.warning("There is no bell: %s", error)

    def _ordinary(self) -> list[Message]:
        """Lock and return the oldest ordinary task; another pusher may have been faster."""
        now = timezone.now()
        rows = self.get_connection().filter(key=self.list_key, lock__lt=now).order_by("id")
        row = rows.first()
        if row is None:
            return []
        mine = rows.filter(pk=row.pk, lock=row.lock).update(lock=self.timeout(row))
        return [(row.pk, row.payload)] if mine else []

    def _wait(self) -> None:
        """Wait for this lane's bell, the next postponed step, or the end of the pause."""
        if self._listener is None:
            self._burst = 0
            time.sleep(AWAY_SECONDS)
            return
        if self._burst:
            until = time.monotonic() + self._pause
            self._pause = min(LOOK_SECONDS, 2 * self._pause)
        else:
            until = time.monotonic() + self._quiet_seconds()
            self._pause = FIRST_PAUSE_SECONDS
        while (left := until - time.monotonic()) > 0:
            rung = self._listener.wait(left)
            if "" in rung or self.list_key in rung:
                self._pause = FIRST_PAUSE_SECONDS
                break
        self._burst = 0

    def _quiet_seconds(self) -> float:
        due = Step.objects.next_due(self.list_key)
        if due is None:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, max(0.0, (due - timezone.now()).total_seconds()))

    def _start_again(self) -> None:
        connection.close()
        self.close()

    def close(self) -> None:
        """Stop listening to the bell."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Keep no statistics of the cluster: the `Worker` rows are what others can see."""

    def get_stat(self, key: str) -> None:
        return None

    def get_stats(self, pattern: str) -> list[Any]:
        return []

    def info(self) -> str:
        return f"bell over {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}"
