"""A worker's grip on its step: renewed, asked for wishes, and lost in good order."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from uploads.conf import conf
from uploads.errors import Cancelled, LeaseLost
from uploads.models import Job, Step
from uploads.models.outage import says_full
from uploads.states import StepKind
from uploads.work.stopping import stopping

T = TypeVar("T")

log = logging.getLogger("tidemill.work")

AWAY = (OperationalError, InterfaceError)
PAUSE_SECONDS = 0.5
LOOK_SECONDS = 0.5


class Released(Exception):  # noqa: N818
    """This process stops; put the step back without counting the attempt."""


class Grip:
    """Keeps one lease alive while its step runs; call `tick` about once a second."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.lease = step.lease
        self._sent = (0.0, "")
        self._progress = (0.0, "")
        self._unsaved = False
        now = time.monotonic()
        self._renewed_at = now

    def progress(self, share: float, note: str = "") -> None:
        """Remember how much of the step is done, 0…1; the next tick writes it down."""
        self._progress = (round(share, 3), note)

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Remember where the step could go on; the next tick writes it down, or the step's end."""
        self.step.checkpoint = checkpoint
        self._unsaved = True

    def tick(self) -> None:
        """Renew the lease when it is due and look for wishes.

        Raises `LeaseLost`, `Cancelled` or `Released`; a database that is away is
        borne for `TIDEMILL_OUTAGE_SECONDS` since the last renewal.
        """
        if stopping():
            raise Released
        try:
            self._renew()
            self._look()
        except AWAY as error:
            self._bear(error)

    def keep(self) -> None:
        """Renew the lease when it is due, deaf to wishes: what is finished shall be committed.

        Raises `LeaseLost`; a database that is away is borne as in `tick`.
        """
        try:
            self._renew()
        except AWAY as error:
            self._bear(error)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the lease from a thread while this one waits: for a mail server, for a copy.

        A lease that is lost meanwhile is noticed at the next transaction.
        """
        over = threading.Event()

        def renew() -> None:
            try:
                while not over.wait(LOOK_SECONDS):
                    self.keep()
            except LeaseLost as lost:
                log.warning("step %s was taken away while it waited: %r", self.step.pk, lost)
            finally:
                connection.close()

        thread = threading.Thread(target=renew, name="lease")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def extend(self) -> None:
        """Start the step's time limit anew, for another child or for adopting big files."""
        until = timezone.now() + self.step.time_limit
        self.insist(lambda: Step.held(self.lease).update(deadline_at=until))

    def _renew(self) -> None:
        moved = self._progress != self._sent
        if (
            not moved
            and not self._unsaved
            and time.monotonic() - self._renewed_at < conf.RENEW_SECONDS
        ):
            return
        saved: dict[str, Any] = {"checkpoint": self.step.checkpoint} if self._unsaved else {}
        if not Step.renew(self.lease, *self._progress, **saved):
            raise LeaseLost
        self._unsaved = False
        self._renewed_at = time.monotonic()
        self._sent = self._progress
        if moved:
            self.step.job.touch()

    def _look(self) -> None:
        wish = Job.objects.filter(pk=self.step.job_id).values_list("cancel_requested_at", flat=True)
        found = list(wish)
        if not found:
            raise LeaseLost  # the job was deleted
        if found[0] is not None and self.step.kind != StepKind.NOTIFY:
            raise Cancelled

    def _bear(self, error: Exception) -> None:
        # Whether another took the step meanwhile, its token tells afterwards; a worker that
        # is cut off alone must not go on for ever. On a full disk nobody can take it.
        away = time.monotonic() - self._renewed_at
        if away > conf.OUTAGE_SECONDS and not says_full(error):
            raise LeaseLost from error
        log.warning("the database is away, step %s waits: %s", self.step.pk, error)
        close_old_connections()

    def insist(self, commit: Callable[[], T]) -> T:
        """Run a transaction, again and again while the database is away, as long as `tick` bears it.

        Safe to repeat: the lease's token lets it happen once. A commit that happened
        although its answer was lost is found as `LeaseLost` and discarded by the caller,
        whose files the committed rows then keep (see `adopt.discard`).
        """
        while True:
            try:
                return commit()
            except AWAY as error:
                self._bear(error)
                time.sleep(PAUSE_SECONDS)
