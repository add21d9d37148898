"""Recover: what dead, silent or overdue workers left behind goes on; each function a sweep.

Every function is idempotent and safe to run on several hosts at once: the
guard is the lease's token, so one of them does it and the others see nothing.
"""

import logging
import os
import signal
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from uploads.conf import conf
from uploads.models import EventKind, Job, Step
from uploads.states import OPEN_STEP_STATES, ItemState, StepKind, StepState
from uploads.work.apart import set_apart
from uploads.work.commit import carried, fail_step
from uploads.work.outcome import Problem
from uploads.work.presence import alive, local_prefix, pid_of

log = logging.getLogger("tidemill.sweep")

CANCEL_GRACE_SECONDS = 8
DEADLINE_GRACE_SECONDS = 20  # more than a worker needs to end and reap a whole herd


def recover_dead_workers() -> int:
    """Take back the steps of workers of this host whose process is gone."""
    running = Step.objects.filter(state=StepState.RUNNING, lease_owner__startswith=local_prefix())
    return sum(abandon(step) for step in running if not alive(step.lease_owner))


def recover_silent_workers() -> int:
    """Take back the steps whose lease has run out, on whatever host."""
    silent = Step.objects.filter(state=StepState.RUNNING, lease_until__lt=timezone.now())
    return sum(abandon(step) for step in silent)


def abandon(step: Step) -> bool:
    """Take a step from a worker that is dead or silent; True for the one caller that did it.

    Ready again with the crash counted, or failed after too many crashes, or cancelled
    when its job is being cancelled. The attempt is not counted.
    """
    with transaction.atomic():
        job = Job.objects.locked(step.job_id)
        held = Step.held(step.lease)
        unwanted = job.cancel_requested_at or (step.item_id and not carried(step))
        if unwanted and step.kind != StepKind.NOTIFY:
            if not Step.end(step.lease, StepState.CANCELLED):
                return False
            for item in carried(step):
                job.end_item(item, ItemState.CANCELLED, code="item_cancelled")
            job.touch()
            job.end_if_done()
            return True
        if step.crashes + 1 >= conf.STEP_CRASHES:
            problem = Problem("worker_lost", {"count": step.crashes + 1}, "step")
            if not held.update(
                state=StepState.FAILED,
                crashes=F("crashes") + 1,
                lease_until=None,
                finished_at=timezone.now(),
            ):
                return False
            fail_step(job, step, problem)
            return True
        if not held.update(
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
    log.warning("step %s of job %s taken back from %s", step.pk, job.key, step.lease_owner)
    return True


def stop_overdue_workers() -> int:
    """Kill workers of this host that do not stop a cancelled or overdue step themselves."""
    now = timezone.now()
    overdue = Q(deadline_at__lt=now - timedelta(seconds=DEADLINE_GRACE_SECONDS))
    unwanted = Q(job__cancel_requested_at__lt=now - timedelta(seconds=CANCEL_GRACE_SECONDS)) & ~Q(
        kind=StepKind.NOTIFY
    )
    steps = Step.objects.filter(
        overdue | unwanted, state=StepState.RUNNING, lease_owner__startswith=local_prefix()
    )
    killed = 0
    for step in steps:
        if alive(step.lease_owner):
            log.warning("killing worker %s: step %s does not stop", step.lease_owner, step.pk)
            os.kill(pid_of(step.lease_owner), signal.SIGKILL)
            killed += 1
    return killed


def ready_leftover_joins() -> int:
    """Make ready the joins whose parts have all succeeded."""
    jobs = Job.objects.unfinished().filter(
        steps__kind=StepKind.JOIN, steps__state=StepState.PENDING
    )
    made = 0
    for job in jobs.distinct():
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
    idle = Job.objects.unfinished().filter(
        ~Exists(busy) | (Q(cancel_requested_at__isnull=False) & ~Exists(runs))
    )
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
    for job in Job.objects.filter(settled_at=None).exclude(finished_at=None):
        with transaction.atomic():
            Job.objects.locked(job.pk).settle()
            settled += 1
    return settled
