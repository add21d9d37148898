"""Recover: what dead, silent or overdue workers left behind goes on; each function a sweep.

Every function is idempotent and safe to run on several hosts at once: the
guard is the lease's token, so one of them does it and the others see nothing.
None believes the wall clock: who is silent or overdue was watched for that long.
"""

import logging
import os
import signal
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from uploads import bell
from uploads.conf import conf
from uploads.models import EventKind, Job, Step
from uploads.models.lock import is_locked
from uploads.states import OPEN_STEP_STATES, ItemState, JobState, StepKind, StepState
from uploads.work.apart import set_apart
from uploads.work.carried import carried, state_without_items
from uploads.work.clock import WallClock, Watch
from uploads.work.commit import fail_step
from uploads.work.outcome import Problem
from uploads.work.presence import alive, local_prefix, pid_of

log = logging.getLogger("tidemill.sweep")

CANCEL_GRACE_SECONDS = 8
DEADLINE_GRACE_SECONDS = 20  # more than a worker needs to end and reap a whole herd
LOOK_SECONDS = 30  # between looks at waits while the clock goes evenly
LONGEST_PAUSE_SECONDS = 900  # longer than any pause before a retry

# What is watched and how it stands: a lease's token and one of the times written beside it.
Watched = tuple[str, str, datetime | None]
_leases: Watch[Watched] = Watch()
_limits: Watch[Watched] = Watch()


def recover_dead_workers() -> int:
    """Take back the steps of workers of this host whose process is gone."""
    running = Step.objects.running().filter(lease_owner__startswith=local_prefix())
    return sum(abandon(step) for step in running if not alive(step.lease_owner))


def recover_silent_workers(watch: Watch[Watched] = _leases) -> int:
    """Take back the steps whose lease nobody has renewed for its length, on whatever host.

    Judged by how long this process has seen `lease_until` unchanged, never by its value.
    """
    running = {("lease", s.lease_token, s.lease_until): s for s in Step.objects.running()}
    silent = watch.over(dict.fromkeys(running, conf.LEASE_SECONDS))
    if silent and is_locked():  # then nobody could renew
        watch.forget()
        return 0
    return sum(abandon(running[key]) for key in silent)


def abandon(step: Step) -> bool:
    """Take a step from a worker that is dead or silent; True for the one caller that did it.

    Ready again with the crash counted, or failed after too many crashes, or ended
    when its job is being cancelled or nothing that it carries is open. The attempt is not counted.
    """
    with transaction.atomic():
        job = Job.objects.locked(step.job_id)
        unwanted = job.cancel_requested_at or not carried(step)
        if unwanted and step.kind != StepKind.NOTIFY:
            won = _call_off(job, step)
        elif step.crashes + 1 >= conf.STEP_CRASHES:
            won = _give_up(job, step)
        else:
            won = _put_back(job, step)
        if won:  # its worker can't look any more for what there is room for now
            transaction.on_commit(lambda: bell.ring(bell.WORK, step.lane))
    if won:
        log.warning("step %s of job %s taken back from %s", step.pk, job.key, step.lease_owner)
    return won


def _call_off(job: Job, step: Step) -> bool:
    state = StepState.CANCELLED if carried(step) else state_without_items(step)
    if not Step.end(step.lease, state):
        return False
    for item in carried(step):
        job.end_item(item, ItemState.CANCELLED, code="item_cancelled")
    job.touch()
    job.end_if_done()
    return True


def _give_up(job: Job, step: Step) -> bool:
    if not Step.held(step.lease).update(
        state=StepState.FAILED,
        crashes=F("crashes") + 1,
        lease_until=None,
        finished_at=timezone.now(),
    ):
        return False
    fail_step(job, step, Problem("worker_lost", {"count": step.crashes + 1}, "step"))
    return True


def _put_back(job: Job, step: Step) -> bool:
    if not Step.held(step.lease).update(
        state=StepState.READY,
        crashes=F("crashes") + 1,
        attempt=F("attempt") - 1,
        not_before=timezone.now(),
        lease_until=None,
        lease_owner="",
        progress=0,
    ):
        return False
    set_apart(job, step, carried(step))
    job.record(EventKind.WORKER_LOST, label=step.label, step=step.pk)
    job.ring_lanes()
    return True


def stop_overdue_workers(watch: Watch[Watched] = _limits) -> int:
    """Kill workers of this host that do not stop a cancelled or overdue step themselves."""
    steps: dict[Watched, Step] = {}
    limits: dict[Watched, float] = {}
    local = Step.objects.running().filter(lease_owner__startswith=local_prefix())
    for step in local.select_related("job"):
        deadline = ("deadline", step.lease_token, step.deadline_at)
        limits[deadline] = step.time_limit.total_seconds() + DEADLINE_GRACE_SECONDS
        steps[deadline] = step
        if step.job.cancel_requested_at and step.kind != StepKind.NOTIFY:
            cancel = ("cancel", step.lease_token, step.job.cancel_requested_at)
            limits[cancel] = CANCEL_GRACE_SECONDS
            steps[cancel] = step
    overdue = {steps[key].lease_owner: steps[key] for key in watch.over(limits)}
    killed = 0
    for owner, step in overdue.items():
        if alive(owner):
            log.warning("killing worker %s: step %s does not stop", owner, step.pk)
            os.kill(pid_of(owner), signal.SIGKILL)
            killed += 1
    return killed


class Waits:
    """Ends the waits that a clock set back, or another host's clock, has made too long."""

    def __init__(self, clock: WallClock | None = None) -> None:
        self._clock = clock or WallClock()
        self._looked_at = float("-inf")

    def shorten(self) -> int:
        """Make due what waits for a time farther off than any pause; returns how many steps.

        After a jump back every pause is over: a retry that comes early does no harm.
        """
        set_back = self._clock.jump() < 0
        if not set_back and time.monotonic() - self._looked_at < LOOK_SECONDS:
            return 0
        self._looked_at = time.monotonic()
        now = timezone.now()
        pause = 0 if set_back else LONGEST_PAUSE_SECONDS
        limit = now + timedelta(seconds=pause)
        late = Step.objects.filter(state=StepState.READY, not_before__gt=limit)
        lanes = set(late.values_list("lane", flat=True))
        made_due = late.update(not_before=now) if lanes else 0
        # The order of claims goes by this time; a job served "tomorrow" would come last for a day.
        Job.objects.filter(settled_at=None, last_claimed_at__gt=limit).update(last_claimed_at=now)
        for lane in sorted(lanes):
            bell.ring(bell.WORK, lane)
        return made_due


def ready_leftover_joins() -> int:
    """Make ready the joins whose parts have all succeeded."""
    parts = Step.objects.filter(item=OuterRef("item"), kind=StepKind.WORK)
    joins = Step.objects.filter(kind=StepKind.JOIN, state=StepState.PENDING)
    late = joins.filter(~Exists(parts.exclude(state=StepState.SUCCEEDED)))
    made = 0
    for job in Job.objects.unfinished().filter(pk__in=late.values("job")):
        with transaction.atomic():
            locked = Job.objects.locked(job.pk)
            if changed := Step.ready_joins(locked):
                locked.touch()
                locked.ring_lanes()
                made += changed
    return made


def mend_counters() -> int:
    """Recount jobs that have not ended although nothing of them is left to do."""
    busy = Step.objects.filter(job=OuterRef("pk"), state__in=OPEN_STEP_STATES)
    runs = Step.objects.filter(job=OuterRef("pk"), state=StepState.RUNNING)
    wanted = ~Exists(busy) & ~Q(state=JobState.RECEIVING)
    unwanted = Q(cancel_requested_at__isnull=False) & ~Exists(runs)
    idle = Job.objects.unfinished().filter(wanted | unwanted)
    ended = 0
    for job in idle:
        with transaction.atomic():
            locked = Job.objects.locked(job.pk)
            _recount(locked)
            ended += locked.end_if_done()
    return ended


def _recount(job: Job) -> None:
    """Set the job's counters to what its items say, if they differ."""
    counters = {
        "items_done": ItemState.SUCCEEDED,
        "items_failed": ItemState.FAILED,
        "items_cancelled": ItemState.CANCELLED,
    }
    true = {name: job.items.filter(state=state).count() for name, state in counters.items()}
    if any(getattr(job, name) != count for name, count in true.items()):
        for name, count in true.items():
            setattr(job, name, count)
        job.save(update_fields=list(true))


def settle_ended_jobs() -> int:
    """Note the jobs whose last step ended without saying so."""
    settled = 0
    busy = Step.objects.filter(job=OuterRef("pk"), state__in=OPEN_STEP_STATES)
    for job in Job.objects.filter(~Exists(busy), settled_at=None).exclude(finished_at=None):
        with transaction.atomic():
            Job.objects.locked(job.pk).settle()
            settled += 1
    return settled
