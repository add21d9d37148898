"""What an operator should know first: dead lanes, stuck steps, a full disk, broken packages, lost mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.db.models import Q
from django.utils import timezone

from uploads.admin.host import Host
from uploads.models import Step
from uploads.models.pulse import LanePulse
from uploads.models.words import MINUTE
from uploads.operations.registry import broken
from uploads.states import StepKind, StepState

STUCK_SECONDS = MINUTE
MAIL_HOURS = 24
GIGABYTE = 1024**3
COUNTED = 1000


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what, what to do, and where to look (empty: nowhere)."""

    level: Literal["bad", "warning"]
    text: str
    fix: str
    link: str = ""
    link_text: str = ""


def problems(lanes: Sequence[LanePulse], host: Host) -> list[Problem]:
    """Return what is wrong now, the worst first; two queries."""
    found = [*_dead_lanes(lanes), *_stuck(), *_disk(host), *_broken(), *_mail()]
    return sorted(found, key=lambda problem: problem.level != "bad")


def _dead_lanes(lanes: Sequence[LanePulse]) -> list[Problem]:
    return [
        Problem(
            "bad" if lane.ready or lane.lane == "light" else "warning",
            f"No worker of the lane “{lane.lane}” is alive; {lane.ready:,} steps wait for one.",
            "Start `manage.py up` (or `up --no-web` on another machine); the jobs go on by themselves.",
        )
        for lane in lanes
        if lane.wanted and not lane.workers
    ]


def _stuck() -> list[Problem]:
    """Name steps whose lease or time limit is long over: a living sweep would have moved them."""
    before = timezone.now() - timedelta(seconds=STUCK_SECONDS)
    late = Q(lease_until__lt=before) | Q(deadline_at__lt=before)
    count = Step.objects.filter(late, state=StepState.RUNNING)[:COUNTED].count()
    if not count:
        return []
    are = "step is" if count == 1 else "steps are"
    return [
        Problem(
            "bad",
            f"{count:,} running {are} overdue, and nobody has taken over.",
            "The sweep process does not run: see `manage.py doctor`, then restart `manage.py up`.",
            "/admin/uploads/job/?state=running",
            "Running jobs",
        )
    ]


def _disk(host: Host) -> list[Problem]:
    if host.is_full:
        return [
            Problem(
                "bad",
                f"The disk is full: {_size(host.disk_free_bytes)} are free, {_size(host.reserve_bytes)} are kept in reserve.",
                "Delete old jobs or make room; uploads and work go on by themselves then.",
                "/admin/uploads/job/?sort=oldest",
                "Oldest jobs",
            )
        ]
    if host.is_nearly_full:
        return [
            Problem(
                "warning",
                f"The disk is nearly full: {_size(host.disk_free_bytes)} are free; below {_size(host.reserve_bytes)} uploads are refused.",
                "Delete old jobs or make room.",
            )
        ]
    return []


def _size(count: int) -> str:
    return f"{count / GIGABYTE:.1f} GB"


def _broken() -> list[Problem]:
    return [
        Problem(
            "warning",
            f"The operations of “{package.package}” can't be used: {package.reason}",
            "Mend or remove that package, then restart; all other operations work.",
        )
        for package in broken()
    ]


def _mail() -> list[Problem]:
    since = timezone.now() - timedelta(hours=MAIL_HOURS)
    failed = Step.objects.filter(kind=StepKind.NOTIFY, state=StepState.FAILED)
    newest = failed.order_by("-pk").select_related("job")[:COUNTED]
    steps = [step for step in newest if step.finished_at and step.finished_at >= since]
    if not steps:
        return []
    count = f"{len(steps):,} {'e-mail was' if len(steps) == 1 else 'e-mails were'}"
    return [
        Problem(
            "warning",
            f"{count} not sent in the last 24 hours, or nobody knows: {steps[0].error[:200]}",
            "Correct TIDEMILL_EMAIL_URL; each job's own page can send its e-mail again.",
            f"/admin/uploads/job/{steps[0].job.key}/change/",
            "Latest job",
        )
    ]
