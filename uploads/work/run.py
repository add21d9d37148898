"""Run: what a ticket asks for. Claim, perform, again, until nothing is ready."""

import logging
import time
from contextlib import suppress

from django.conf import settings
from django.db import connection
from django.utils import timezone

from uploads import bell
from uploads.conf import conf
from uploads.models import Step
from uploads.models.claiming import Claim, take
from uploads.states import Lane, StepState
from uploads.storage import room
from uploads.work.budget import here
from uploads.work.lease import AWAY
from uploads.work.memory import memory_bytes
from uploads.work.perform import perform
from uploads.work.presence import me
from uploads.work.stopping import stopping

log = logging.getLogger("tidemill.work")

# A ticket ends after this much work, so that django-q2 sees its worker now and then.
BUDGET_SECONDS = 5.0


def drain(lane: str = "", budget_seconds: float = BUDGET_SECONDS) -> int:
    """Run ready steps of a lane until there are none or the budget is spent; return how many.

    The one dotted target of tickets, which carry no arguments: the lane is then that
    of this process's cluster. A longer step is run to its end.
    """
    chosen = lane or settings.Q_CLUSTER_NAME
    until = time.monotonic() + budget_seconds
    ran = 0
    try:
        take_up()
        following = Following(chosen, until)
        step = None if stopping() else claim_next(chosen)
        while step is not None:
            run(step, following)
            ran += 1
            step = following.step()
            if step is None and time.monotonic() > until:
                bell.ring(bell.WORK, chosen)
                break
            if step is None and not stopping():
                step = claim_next(chosen)
    except AWAY as error:
        log.warning("the database is away, this ticket ends: %s", error)
        connection.close()
    if stopping():
        with suppress(*AWAY):  # where a limit holds, another may have waited for this one
            bell.ring(bell.WORK, chosen)
        raise SystemExit(0)  # a worker that was told to stop alone makes room for a fresh one
    return ran


def take_up() -> None:
    """Perform the step that is this worker's although it runs none, if there is one.

    The database may have gone away in the middle of the claim's commit, or for so long
    that the work was given up; nobody has taken it since, as the row tells.
    """
    for step in Step.objects.filter(state=StepState.RUNNING, lease_owner=me()):
        until = timezone.now() + step.time_limit
        if Step.held(step.lease).update(deadline_at=until):
            perform(step)


def run_next(lane: str) -> bool:
    """Claim and perform the best ready step of a lane; False when there is none, or no room."""
    step = claim_next(lane)
    if step is not None:
        run(step)
    return step is not None


def claim_next(lane: str) -> Step | None:
    """Claim the best ready step of a lane that this host has room for."""
    return None if room.is_short() else Step.objects.claim(lane, me(), here())


class Following:
    """Claims the next step within the commit of the one before, where that spares a transaction.

    SQLite lets one process write at a time, and after another's commit each transaction reads
    its pages anew; so one instead of two lets a third more of short steps pass. On
    PostgreSQL the claim locks rows in another order than a commit and stays by itself.
    """

    def __init__(self, lane: str, until: float) -> None:
        self._lane = lane
        self._until = until
        self._claim: Claim | None = None

    def claim(self) -> None:
        """Claim, unless this worker shall stop or its ticket's time is over; in a transaction."""
        self._claim = None
        over = stopping() or time.monotonic() > self._until or room.is_short()
        if connection.vendor == "sqlite" and not over:
            self._claim = take(self._lane, me(), here())

    def step(self) -> Step | None:
        """Return what the last commit claimed, once.

        Whether that commit happened, although its answer was lost or it was undone, the
        claim's token tells, which then is in the row or is not.
        """
        claim, self._claim = self._claim, None
        return claim.load() if claim else None


def run(step: Step, following: Following | None = None) -> None:
    """Perform a claimed step and wake whoever its end may have made room for."""
    perform(step, following.claim if following else None)
    if step.needs_memory_bytes > memory_bytes() // 4:
        bell.ring(bell.WORK, step.lane)
    if conf.JOB_MAX_INFLIGHT or conf.OWNER_MAX_INFLIGHT or step.job.max_inflight:
        for other in Lane:  # a limit counts in all lanes, and this worker looks in its own only
            if other != step.lane:
                bell.ring(bell.WORK, other)
