"""Why jobs and steps wait, in words, for many at once; it changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.template.defaultfilters import filesizeformat

from uploads.errors import sentence
from uploads.models.hold import Hold
from uploads.models.job import Job
from uploads.models.lane_limit import limit_words
from uploads.models.line import LINE_SHOWN, Line
from uploads.models.stage import Input
from uploads.models.step import Step
from uploads.states import JobState, StepKind, StepState, UploadState
from uploads.storage import room

DISK_FULL = "The server's disk has no room for it now; it goes on by itself once there is."
NO_WORKER = {
    "cpu": "No worker for heavy work is alive; it starts as soon as one is.",
    "light": "No worker for planning and e-mails is alive; it starts as soon as one is.",
}
HOPEFUL = ("next", "queue", "lane_limit", "memory", "limit", "retry", "disk", "disk_full")


@dataclass(frozen=True)
class Waiting:
    """Why something that has not ended makes no progress; `starts` is a range of seconds or None.

    A position counts the jobs ahead in the same lane, from 1.
    """

    reason: str
    text: str
    position: int | None = None
    starts: tuple[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        low, high = self.starts or (0, 0)
        shown: dict[str, Any] = {
            "reason": self.reason,
            "text": self.text,
            "starts_in_seconds": {"low": low, "high": high} if self.starts else None,
        }
        if self.position is not None:
            shown["position"] = self.position
        return shown


@dataclass(frozen=True)
class _Ready:
    """The ready steps of one job in one lane: what the least demanding of them asks for."""

    job: Job
    lane: str
    due: int
    next_at: datetime | None
    memory_bytes: int
    disk_bytes: int
    code: str = ""


def why_waiting(jobs: Sequence[Job], line: Line | None = None) -> dict[int, Waiting]:
    """Return why no step of these jobs runs now, by the jobs' numbers.

    A handful of queries, however many jobs.
    """
    line = line or Line()
    reasons = {job.pk: said for job in jobs if (said := _wished(job, line))}
    rest = [job for job in jobs if job.pk not in reasons]
    if not rest:
        return reasons
    found: dict[int, list[Waiting]] = {}
    for ready in _ready_steps(rest, line):
        found.setdefault(ready.job.pk, []).append(_before_workers(ready, line))
    for pk, lanes in found.items():
        reasons[pk] = min(lanes, key=_hopelessness)
    idle = [job for job in rest if job.pk not in reasons]
    return reasons | (_nothing_ready(idle) if idle else {})


def _hopelessness(waiting: Waiting) -> int:
    known = waiting.reason in HOPEFUL
    return HOPEFUL.index(waiting.reason) if known else len(HOPEFUL)


def why_steps_wait(job: Job, steps: Iterable[Step]) -> dict[int, Waiting]:
    """Return why each of these steps of one job, pending or ready, does not run now."""
    line = Line()
    wished = _wished(job, line)
    reasons: dict[int, Waiting] = {}
    for step in steps:
        if step.state == StepState.PENDING:
            reasons[step.pk] = wished or _pending(step)
        elif step.state == StepState.READY:
            reasons[step.pk] = wished or _before_workers(_alone(job, step, line), line)
    return reasons


def _pending(step: Step) -> Waiting:
    what = "all parts are done" if step.kind == StepKind.JOIN else "the steps before it are done"
    return Waiting("parts", f"It begins when {what}.")


def _alone(job: Job, step: Step, line: Line) -> _Ready:
    due = step.not_before <= line.now
    return _Ready(
        job,
        step.lane,
        due=int(due),
        next_at=None if due else step.not_before,
        memory_bytes=step.needs_memory_bytes,
        disk_bytes=step.needs_disk_bytes,
        code=step.waiting_code,
    )


def _wished(job: Job, line: Line) -> Waiting | None:
    """Return what somebody wants of the job that keeps all its steps from running."""
    if job.is_cancelling:
        return Waiting("cancelling", "Cancelling: the running steps are being stopped.")
    if job.paused_at:
        return Waiting("paused", f"Paused by {job.paused_by or 'an operator'}.")
    return _held(line.hold_on(job))


def _held(hold: Hold | None) -> Waiting | None:
    if hold is None:
        return None
    return Waiting("over_quota" if hold.spares_begun else "held", hold.text)


def _ready_steps(jobs: Sequence[Job], line: Line) -> list[_Ready]:
    named = {job.pk: job for job in jobs}
    due = Q(not_before__lte=line.now)
    rows = (
        Step.objects.filter(job__in=jobs, state=StepState.READY)
        .order_by()
        .values("job_id", "lane")
        .annotate(
            due=Count("id", filter=due),
            next_at=Min("not_before", filter=~due),
            memory=Min("needs_memory_bytes"),
            disk=Min("needs_disk_bytes"),
            code=Max("waiting_code"),
        )
    )
    return [
        _Ready(
            named[row["job_id"]],
            row["lane"],
            row["due"],
            row["next_at"],
            row["memory"],
            row["disk"],
            row["code"],
        )
        for row in rows
    ]


def _before_workers(ready: _Ready, line: Line) -> Waiting:
    """Return why steps that are ready are not taken: the hardest reason first."""
    job, lane = ready.job, ready.lane
    if held := _held(line.hold_on(job, lane)):
        return held
    if room.is_short() or (ready.code == "disk_full" and not ready.due):
        return Waiting("disk_full", DISK_FULL)
    if not line.lives(lane):
        return Waiting("no_worker", NO_WORKER.get(lane, f"No worker of lane {lane} is alive."))
    if not ready.due and ready.next_at:
        return _retry(ready, ready.next_at, line)
    return _no_room(ready, line) or _full(job, line) or _in_line(ready, line)


def _retry(ready: _Ready, next_at: datetime, line: Line) -> Waiting:
    seconds = max(1, round((next_at - line.now).total_seconds()))
    why = sentence(ready.code, {}) if ready.code else "The last try failed."
    text = f"{why} The next try begins in about {seconds} s."
    return Waiting(ready.code or "retry", text, starts=(seconds, 2 * seconds + 2))


def _no_room(ready: _Ready, line: Line) -> Waiting | None:
    """Return what is missing for good, as far as Tidemill can tell: disk, or a larger worker."""
    if ready.disk_bytes and ready.disk_bytes > line.free_disk:
        need, free = filesizeformat(ready.disk_bytes), filesizeformat(line.free_disk)
        text = (
            f"The server's disk is too full: it needs {need}, and {free} may be used. "
            "It goes on by itself when there is room."
        )
        return Waiting("disk", text)
    largest = max(line.budgets(ready.lane).values(), default=0)
    if largest and ready.memory_bytes > largest:
        need, given = filesizeformat(ready.memory_bytes), filesizeformat(largest)
        text = (
            f"It needs {need} of memory, and no live worker may use more than {given}. "
            "It starts when there is a larger one."
        )
        return Waiting("too_large", text)
    return None


def _full(job: Job, line: Line) -> Waiting | None:
    if line.job_full(job.pk, job.max_inflight):
        count = line.of_job[job.pk]
        steps = "1 step of this job runs" if count == 1 else f"{count} steps of this job run"
        return Waiting("limit", f"{steps}, as many as may at once; it follows them.")
    if line.owner_full(job.owner_id):
        count = line.of_owner[job.owner_id]
        steps = "1 step" if count == 1 else f"{count} steps"
        text = f"{steps} of this person's jobs run, as many as may at once; it follows them."
        return Waiting("limit", text)
    return None


def _in_line(ready: _Ready, line: Line) -> Waiting:
    place = line.place(ready.lane, ready.job.pk)
    if place is None:
        return Waiting("queue", f"More than {LINE_SHOWN} jobs are ahead of this one.")
    position, starts = place.ahead + 1, (int(place.seconds / 2), round(2 * place.seconds) + 2)
    ahead = ""
    if place.ahead:
        words = "1 job is" if place.ahead == 1 else f"{place.ahead} jobs are"
        ahead = f"{words} ahead of this one."
    if line.lane_full(ready.lane):
        return Waiting("lane_limit", _full_lane(ready.lane, line, ahead), position, starts)
    if place.ahead:
        return Waiting("queue", ahead, position, starts)
    free = line.free_memory(ready.lane, ready.memory_bytes)
    if line.budgets(ready.lane) and ready.memory_bytes > free:
        need, left = filesizeformat(ready.memory_bytes), filesizeformat(max(0, free))
        text = f"Next in line: it needs {need} of memory, and running steps leave {left}."
        return Waiting("memory", text, position, starts)
    text = "Next in line: it starts as soon as a worker is free."
    return Waiting("next", text, position, starts)


def _full_lane(lane: str, line: Line, ahead: str) -> str:
    limit = limit_words(lane, line.limits[lane])
    if ahead:
        return f"{ahead} {limit}."
    running = line.of_lane[lane]
    return f"{limit}; {running} {'is' if running == 1 else 'are'} running."


def _nothing_ready(jobs: Sequence[Job]) -> dict[int, Waiting]:
    rows = (
        Input.objects.filter(job__in=jobs)
        .order_by()
        .values("job_id")
        .annotate(
            total=Count("id"), arriving=Count("id", filter=Q(upload__state=UploadState.RECEIVING))
        )
    )
    files = {row["job_id"]: row for row in rows}
    reasons = {}
    for job in jobs:
        count = files.get(job.pk, {"total": 0, "arriving": 0})
        if job.state == JobState.RECEIVING and count["arriving"]:
            here = count["total"] - count["arriving"]
            text = f"{here} of {count['total']} files have arrived."
            reasons[job.pk] = Waiting("upload", text)
        else:
            text = "A step has just ended; the next one is being made ready."
            reasons[job.pk] = Waiting("moment", text)
    return reasons
