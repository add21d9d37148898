"""Steps: the smallest claimed and retried unit, run by the one holder of its lease."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from uploads.conf import conf
from uploads.models import rows
from uploads.models.claiming import Budget, claim, time_limit
from uploads.models.hold import Hold, lane_places
from uploads.models.lane_limit import LaneLimit
from uploads.states import StepKind, StepState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from uploads.models.item import Item
    from uploads.models.job import Job
    from uploads.models.stage import Stage


SUCCEED = """
UPDATE uploads_step
SET state = 'succeeded', progress = 1, finished_at = %(now)s, lease_until = NULL,
    checkpoint = NULL, error = ''
WHERE id = %(step)s AND lease_token = %(token)s AND state = 'running'
"""


@dataclass(frozen=True)
class Lease:
    """The right to run one step: fenced by a random token, limited in time."""

    step_id: int
    token: str


class StepQuerySet(models.QuerySet["Step"]):
    def running(self) -> Self:
        return self.filter(state=StepState.RUNNING)

    def claimable(self, lane: str) -> Self:
        """Return the steps of a lane that a worker may take now."""
        return (
            self.filter(
                Q(job__cancel_requested_at=None) | ~Q(job__finished_at=None),
                state=StepState.READY,
                lane=lane,
                not_before__lte=timezone.now(),
                job__settled_at=None,
                job__paused_at=None,
            )
            .unheld(lane)
            .exclude(_full(lane))
        )

    def unheld(self, lane: str) -> Self:
        """Return those of a lane's steps that no `Hold` keeps from being claimed."""
        mine = Q(owner=OuterRef("owner"))
        firm = Hold.objects.filter(Q(place__in=lane_places(lane)) | (mine & Q(spares_begun=False)))
        mild = Hold.objects.filter(mine, spares_begun=True)
        return self.filter(~Exists(firm), ~(Q(job__started_at=None) & Exists(mild)))

    def next_due(self, lane: str) -> datetime | None:
        """Return when the next postponed step of a lane may be taken, or None."""
        waiting = self.filter(state=StepState.READY, lane=lane, not_before__gt=timezone.now())
        due: datetime | None = waiting.aggregate(due=models.Min("not_before"))["due"]
        return due

    def claim(self, lane: str, worker: str, budget: Budget | None = None) -> "Step | None":
        """Take the best ready step of a lane, with a fresh lease; None when there is none.

        `budget` is what the worker's host gives (None: no bounds). See `claiming`.
        """
        return claim(self, lane, worker, budget or Budget(worker))


def _full(lane: str) -> Exists:
    """Return the condition that as many steps of a lane run as may at once."""
    running = Step.objects.running().filter(lane=lane).order_by().values("lane")
    count = running.annotate(count=models.Count("pk")).values("count")
    return Exists(LaneLimit.objects.filter(lane=lane, max_inflight__lte=models.Subquery(count)))


class Step(models.Model):
    """One unit of work; `attempt` counts errors' tries, `crashes` counts worker deaths apart."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        "uploads.Job", on_delete=models.CASCADE, related_name="steps"
    )
    job_id: int
    stage: "models.ForeignKey[Stage, Stage]" = models.ForeignKey(
        "uploads.Stage", on_delete=models.CASCADE, related_name="steps"
    )
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=8)
    lane = models.CharField(max_length=10)
    item: "models.ForeignKey[Item | None, Item | None]" = models.ForeignKey(
        "uploads.Item", null=True, blank=True, on_delete=models.CASCADE, related_name="part_steps"
    )
    item_id: int | None
    owner: "models.ForeignKey[User, User]" = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    owner_id: int
    state = models.CharField(max_length=10, default=StepState.READY)
    weight = models.FloatField(default=1, help_text="Estimated seconds of one worker.")
    progress = models.FloatField(default=0)
    note = models.CharField(max_length=200, blank=True, help_text="What it is doing, in words.")
    attempt = models.PositiveSmallIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_token = models.CharField(max_length=24, blank=True)
    lease_owner = models.CharField(max_length=300, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    needs_memory_bytes = models.BigIntegerField(default=0)
    needs_disk_bytes = models.BigIntegerField(default=0)
    params = models.JSONField(default=dict, blank=True)
    checkpoint = models.JSONField(null=True, blank=True)
    waiting_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        ordering = ["job_id", "stage_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["job", "stage", "kind", "seq"], name="step_place")
        ]
        indexes = [
            models.Index(
                fields=["lane", "job", "seq", "id"], name="step_ready", condition=Q(state="ready")
            ),
            models.Index(fields=["job"], name="step_running_job", condition=Q(state="running")),
            models.Index(fields=["owner"], name="step_running_owner", condition=Q(state="running")),
            models.Index(fields=["lease_until"], name="step_leased", condition=Q(state="running")),
            models.Index(fields=["not_before"], name="step_due", condition=Q(state="ready")),
            models.Index(fields=["item", "kind", "state"], name="step_item"),
            models.Index(fields=["id"], name="unsent", condition=Q(kind="notify", state="failed")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.seq}"

    @property
    def lease(self) -> Lease:
        return Lease(self.pk, self.lease_token)

    @property
    def feeds(self) -> bool:
        """Tell whether what it makes goes on to another operation of its job."""
        return self.job.is_chain and self.stage.position + 1 < self.job.links

    @property
    def time_limit(self) -> timedelta:
        """Return how long one run may take."""
        return time_limit(self.weight)

    @property
    def label(self) -> str:
        """Return the step's name for logs and pages."""
        if self.kind == StepKind.PLAN:
            return "planning"
        if self.kind == StepKind.NOTIFY:
            return "the e-mail"
        if self.kind == StepKind.FINAL:
            return "sending the e-mails"
        if self.kind == StepKind.JOIN:
            return "joining the parts"
        return f"part {self.seq + 1}" if self.item_id else f"batch {self.seq + 1}"

    # --- verbs of the lease's holder; each is guarded by the token ------------

    @staticmethod
    def held(lease: Lease) -> "StepQuerySet":
        """Return the step if, and only if, this lease still holds it."""
        return Step.objects.filter(
            pk=lease.step_id, lease_token=lease.token, state=StepState.RUNNING
        )

    @staticmethod
    def renew(lease: Lease, progress: float, note: str = "", **saved: Any) -> bool:
        """Extend the lease and write the progress; False means lost: stop and discard.

        `saved` is empty or holds a new `checkpoint`.
        """
        until = timezone.now() + timedelta(seconds=conf.LEASE_SECONDS)
        changed = Step.held(lease).update(
            lease_until=until, progress=progress, note=note[:200], **saved
        )
        return bool(changed)

    @staticmethod
    def succeed(lease: Lease) -> bool:
        """Running → succeeded; inside the commit's transaction, which False must undo."""
        values = {"step": lease.step_id, "token": lease.token, "now": timezone.now()}
        return bool(rows.change(SUCCEED, values))

    @staticmethod
    def postpone(lease: Lease, *, seconds: float, error: str, count_attempt: bool = True) -> bool:
        """Running → ready after a pause; a release (`count_attempt=False`) costs no attempt."""
        values: dict[str, Any] = {} if count_attempt else {"attempt": models.F("attempt") - 1}
        return bool(
            Step.held(lease).update(
                state=StepState.READY,
                not_before=timezone.now() + timedelta(seconds=seconds),
                lease_until=None,
                lease_owner="",
                progress=0,
                error=error[:4000],
                **values,
            )
        )

    @staticmethod
    def end(lease: Lease, state: StepState, error: str = "") -> bool:
        """Running → failed or cancelled, inside the transaction that ends its items."""
        return bool(
            Step.held(lease).update(
                state=state, finished_at=timezone.now(), lease_until=None, error=error[:4000]
            )
        )

    # --- verbs of the sweeps ------------------------------------------------

    @staticmethod
    def ready_joins(job: "Job", item_id: int | None = None) -> int:
        """Make ready the joins whose parts have all succeeded; return how many."""
        joins = job.steps.filter(kind=StepKind.JOIN, state=StepState.PENDING)
        if item_id is not None:
            joins = joins.filter(item_id=item_id)
        unfinished = Step.objects.filter(
            item_id=models.OuterRef("item_id"), kind=StepKind.WORK
        ).exclude(state=StepState.SUCCEEDED)
        return joins.filter(~models.Exists(unfinished)).update(
            state=StepState.READY, not_before=timezone.now()
        )
