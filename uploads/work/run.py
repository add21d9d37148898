"""Run: what a ticket asks for. Claim, perform, again, until nothing is ready."""

import logging
import time

from django.conf import settings
from django.db import connection
from django.utils import timezone

from uploads import bell
from uploads.conf import conf
from uploads.models import Step
from uploads.states import Lane, StepState
from uploads.storage import room
from uploads.work.budget import here
from uploads.work.lease import AWAY
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
        while not stopping() and run_next(chosen):
            ran += 1
            if time.monotonic() > until:
                bell.ring(bell.WORK, chosen)
                break
    except AWAY as error:
        log.warning("the database is away, this ticket ends: %s", error)
        connection.close()
    if stopping():
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
    if room.is_short():
        return False
    budget = here()
    step = Step.objects.claim(lane, me(), budget)
    if step is None:
        return False
    perform(step)
    if step.needs_memory_bytes > budget.memory_bytes // 4:
        bell.ring(bell.WORK, lane)  # its end may have made room for several others
    if conf.JOB_MAX_INFLIGHT or conf.OWNER_MAX_INFLIGHT or step.job.max_inflight:
        for other in Lane:  # a limit counts in all lanes, and this worker looks in its own only
            if other != lane:
                bell.ring(bell.WORK, other)
    return True
