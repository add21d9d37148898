"""A full disk: a step that there is no room for is put back and goes on by itself; no try is counted.

Every step on hold is ready with a `waiting_code`, the bytes it needs, and a time at
which it is tried even if no sweep lives. Knows no operations.
"""

import logging
import os
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from uploads import bell
from uploads.conf import MIB, conf
from uploads.errors import LeaseLost, StepError, sentence
from uploads.models import Event, EventKind, Job, Step
from uploads.states import Lane, StepState
from uploads.storage import NO_ROOM, room, store
from uploads.work.carried import ends_with_its_items
from uploads.work.commit import begin
from uploads.work.outcome import Outcome, Problem

log = logging.getLogger("tidemill.work")

DISK_FULL: Final = "disk_full"
HOLD_SECONDS: Final = 600
ASK_SECONDS: Final = 30.0
LEAST_BYTES: Final = 1 * MIB
WORDS: Final = ("no space left on device", "disk quota exceeded")


class NoRoom(Exception):  # noqa: N818 - the disk's state, not the step's fault
    """The disk is full; put the step back until `needs_bytes` are free beside the reserve."""

    def __init__(self, needs_bytes: int) -> None:
        self.needs_bytes = needs_bytes
        super().__init__(needs_bytes)


def is_full(error: BaseException) -> bool:
    """Tell whether an error of the file system means that there is no room."""
    return isinstance(error, OSError) and error.errno in NO_ROOM


def check_running(folder: Path) -> None:
    """Raise `NoRoom` when running work has used half of the reserve."""
    if room.is_spent():
        raise NoRoom(wanted_bytes(folder))


def check_outcomes(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Raise `NoRoom` when a problem is the disk's: said so, or met while nothing was free.

    A decoder that can't write may call its input damaged, so any problem counts then.
    """
    problems = [outcome.problem for outcome in outcomes if outcome.problem is not None]
    said = any(
        problem.code == DISK_FULL or any(words in _said(problem) for words in WORDS)
        for problem in problems
    )
    if said or (problems and store.free_bytes() < LEAST_BYTES):
        raise NoRoom(wanted_bytes(folder))


def _said(problem: Problem) -> str:
    """Return what a program said; a file's name is its owner's word."""
    said = [str(value) for key, value in problem.values.items() if key != "name"]
    return " ".join([problem.detail, *said]).lower()


def wanted_bytes(folder: Path) -> int:
    """Return what a step needs free to get further than with what its folder holds now.

    A quarter more each time: it is not tried again before there is more room than before.
    """
    used = sum(_own_bytes(Path(top) / name) for top, _, names in os.walk(folder) for name in names)
    return used + max(used // 4, LEAST_BYTES)


def _own_bytes(path: Path) -> int:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0
    return status.st_size if status.st_nlink == 1 else 0  # inputs are links


def commit_hold(step: Step, needs_bytes: int) -> None:
    """Put a step back until there is room; neither an attempt nor a crash is counted.

    Raises `LeaseLost`, and `StepError` (`disk_full`) when the whole disk would be too small.
    """
    needs = max(needs_bytes, step.needs_disk_bytes)
    if Event.objects.filter(job=step.job_id, kind=EventKind.STEP_HELD, body__step=step.pk).exists():
        # It was let go on with so much and that was not enough.
        needs = max(needs, step.needs_disk_bytes + max(step.needs_disk_bytes // 4, LEAST_BYTES))
    if needs > store.total_bytes() - conf.DISK_RESERVE_BYTES:
        raise StepError(DISK_FULL)
    with transaction.atomic():
        job = begin(step)
        if ends_with_its_items(step):
            return
        changed = Step.held(step.lease).update(
            state=StepState.READY,
            attempt=F("attempt") - 1,
            waiting_code=DISK_FULL,
            needs_disk_bytes=needs,
            not_before=timezone.now() + timedelta(seconds=HOLD_SECONDS),
            lease_until=None,
            lease_owner="",
            progress=0,
            error="",
        )
        if not changed:
            raise LeaseLost
        words = sentence(DISK_FULL, {})
        job.record(EventKind.STEP_HELD, label=step.label, step=step.pk, text=words)
        job.end_if_done()
    log.warning("step %s of job %s waits for %d free bytes", step.pk, step.job.key, needs)


def held_steps() -> QuerySet[Step]:
    """Return the steps on hold."""
    return Step.objects.filter(state=StepState.READY).exclude(waiting_code="")


def resume_held() -> int:
    """Let steps on hold go on that the free space can hold, oldest first.

    The claim admits of them only what fits together.
    """
    if room.is_short():
        return 0
    left = room.left_bytes()
    resumed = 0
    for step in list(held_steps().order_by("id")):
        if step.needs_disk_bytes > left:
            break  # of those that wait for room the oldest goes first
        resumed += _resume(step)
    return resumed


def _resume(step: Step) -> bool:
    with transaction.atomic():
        try:
            job = Job.objects.locked(step.job_id)
        except Job.DoesNotExist:
            return False
        now = timezone.now()
        changed = held_steps().filter(pk=step.pk).update(waiting_code="", not_before=now)
        job.touch()
        job.ring_lanes()
    return bool(changed)


class RoomSweep:
    """Looks at the free space each second and lets waiting work go on once there is room.

    Workers claim nothing while the disk is short, so the bell tells them when it is not.
    """

    def __init__(self) -> None:
        self._was_short = False
        self._any_held = True
        self._asked_at = float("-inf")

    def __call__(self) -> int:
        """Return how many waits ended; the rows are asked only while one may be on hold."""
        short = room.is_short()
        ended = 0
        if short != self._was_short:
            self._was_short = short
            log.warning("the disk is short of room: work waits" if short else "there is room again")
            if not short:
                self._ring()
                ended = 1
        if self._any_held or time.monotonic() - self._asked_at > ASK_SECONDS:
            self._asked_at = time.monotonic()
            self._any_held = held_steps().exists()
            ended += resume_held() if self._any_held else 0
        return ended

    @staticmethod
    def _ring() -> None:
        for lane in Lane:
            bell.ring(bell.WORK, lane)
        bell.ring(bell.JOB)
