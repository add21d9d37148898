"""Why jobs wait, in words, for many at once; it changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef, Q
from django.utils import timezone

from uploads.models.hold import Hold
from uploads.models.job import Job
from uploads.models.stage import Input
from uploads.models.step import Step
from uploads.models.worker import Worker
from uploads.states import JobState, StepState, UploadState

LINE_SHOWN = 1000
NO_WORKER = {
    "cpu": "No worker for heavy work is alive; it starts as soon as one is.",
    "light": "No worker for planning and e-mails is alive; it starts as soon as one is.",
}


@dataclass(frozen=True)
class Waiting:
    """Why a job that has not ended makes no progress, in words."""

    reason: str
    text: str
    position: int | None = None

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"reason": self.reason, "text": self.text}
        if self.position is not None:
            shown["position"] = self.position
        return shown


@dataclass(frozen=True)
class _Ready:
    """The ready steps of one job: how many are due, when the next other one is, and their lane."""

    due: int
    next_at: datetime | None
    lane: str


def why_waiting(jobs: Sequence[Job]) -> dict[int, Waiting]:
    """Return why no step of these unfinished jobs runs now, by the jobs' numbers.

    At most four queries, however many jobs.
    """
    reasons: dict[int, Waiting] = {}
    for job in jobs:
        if job.cancel_requested_at:
            reasons[job.pk] = Waiting(
                "cancelling", "Cancelling: the running steps are being stopped."
            )
        elif job.paused_at:
            reasons[job.pk] = Waiting("paused", f"Paused by {job.paused_by or 'an operator'}.")
    rest = [job for job in jobs if job.pk not in reasons]
    holds = list(Hold.objects.select_related("owner")) if rest else []
    for job in rest:
        for hold in holds:
            if not hold.lane and hold.owner_id in {None, job.owner_id}:
                reasons[job.pk] = Waiting("held", hold.text)
    rest = [job for job in rest if job.pk not in reasons]
    return reasons | _by_steps(rest) if rest else reasons


def _by_steps(jobs: Sequence[Job]) -> dict[int, Waiting]:
    ready = _ready_steps(jobs)
    lanes = set(Worker.objects.live().values_list("lane", flat=True)) if ready else set()
    idle = [job for job in jobs if job.pk not in ready]
    reasons = _nothing_ready(idle) if idle else {}
    in_line = []
    for job in jobs:
        steps = ready.get(job.pk)
        if steps is None:
            continue
        if not steps.due and steps.next_at:
            seconds = max(1, round((steps.next_at - timezone.now()).total_seconds()))
            reasons[job.pk] = Waiting("retry", f"A step failed and is tried again in {seconds} s.")
        elif steps.lane not in lanes:
            reasons[job.pk] = Waiting("no_worker", NO_WORKER[steps.lane])
        else:
            in_line.append(job)
    return reasons | _places(in_line) if in_line else reasons


def _ready_steps(jobs: Sequence[Job]) -> dict[int, _Ready]:
    now = timezone.now()
    rows = (
        Step.objects.filter(job__in=jobs, state=StepState.READY)
        .order_by()
        .values("job_id")
        .annotate(
            due=Count("id", filter=Q(not_before__lte=now)),
            next_at=Min("not_before", filter=Q(not_before__gt=now)),
            first_lane=Min("lane"),
        )
    )
    return {row["job_id"]: _Ready(row["due"], row["next_at"], row["first_lane"]) for row in rows}


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


def _places(jobs: Sequence[Job]) -> dict[int, Waiting]:
    """Return each job's place among those that wait for a worker, as the claim would serve them."""
    ready = Step.objects.filter(job=OuterRef("pk"), state=StepState.READY)
    line = (
        Job.objects.unfinished()
        .filter(Exists(ready), paused_at=None, cancel_requested_at=None)
        .order_by("-priority", "last_claimed_at", "id")
        .values_list("pk", flat=True)[:LINE_SHOWN]
    )
    places = {pk: place for place, pk in enumerate(line)}
    return {job.pk: _place(places.get(job.pk)) for job in jobs}


def _place(ahead: int | None) -> Waiting:
    if ahead is None:
        return Waiting("queue", f"More than {LINE_SHOWN} jobs are ahead of this one.")
    if ahead == 0:
        return Waiting("next", "Next in line: it starts as soon as a worker is free.", 1)
    words = "1 job is" if ahead == 1 else f"{ahead} jobs are"
    return Waiting("queue", f"{words} ahead of this one.", ahead + 1)
