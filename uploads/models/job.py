"""Jobs: one request of one user, with its stages and inputs. Wishes are timestamps, not states."""

from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Q
from django.utils import timezone

from uploads import bell
from uploads.errors import remedy, sentence
from uploads.models import arriving, chaining, ending, removal, retrying, rows, wishes
from uploads.models.event import EventKind, append
from uploads.models.keys import public_key
from uploads.states import (
    JobState,
    StepState,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ROW = "SELECT {columns} FROM uploads_job WHERE id = %(job)s"
TOUCH = "UPDATE uploads_job SET seq = seq + 1 WHERE id = %(job)s RETURNING seq"
WEIGH = """
UPDATE uploads_job SET seq = seq + 1, weight_done = weight_done + %(weight)s
WHERE id = %(job)s RETURNING {columns}
"""


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: Any) -> Self:
        """Return the jobs of this user; nobody, staff included, sees another's here."""
        return self.filter(owner_id=user.pk) if user.is_authenticated else self.none()

    def unfinished(self) -> Self:
        return self.filter(finished_at=None)

    def locked(self, pk: int) -> "Job":
        """Return the job with its row locked until the transaction ends."""
        locking = " FOR UPDATE" if connection.vendor == "postgresql" else ""
        job = rows.model(Job, ROW + locking, {"job": pk})
        if job is None:
            raise Job.DoesNotExist
        return job

    def locked_with_work(self, pk: int, weight: float) -> "Job":
        """Lock the job, count finished work (estimated seconds) and take the number of its event."""
        job = rows.model(Job, WEIGH, {"job": pk, "weight": weight})
        if job is None:
            raise Job.DoesNotExist
        job.number_taken = True
        job.ring()
        return job


class Job(models.Model):
    """One request. Every change of state goes through a verb here, one transaction each."""

    key = models.CharField(max_length=24, unique=True, default=public_key, editable=False)
    owner: "models.ForeignKey[User, User]" = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs"
    )
    owner_id: int
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=10, default=JobState.RECEIVING)
    priority = models.SmallIntegerField(default=0, help_text="−100 to 100; larger runs sooner.")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=150, blank=True)
    items_total = models.PositiveIntegerField(default=0)
    items_done = models.PositiveIntegerField(default=0)
    items_failed = models.PositiveIntegerField(default=0)
    items_cancelled = models.PositiveIntegerField(default=0)
    weight_total = models.FloatField(default=0, help_text="Estimated seconds of one worker.")
    weight_done = models.FloatField(default=0)
    seq = models.BigIntegerField(default=0, help_text="Grows with every change a page may show.")
    max_inflight = models.PositiveIntegerField(default=0, help_text="Steps at once; 0: no limit.")
    last_claimed_at = models.DateTimeField(
        default=timezone.now, help_text="Last served; the longest ago comes first."
    )
    error_code = models.CharField(max_length=40, blank=True)
    error_values = models.JSONField(default=dict, blank=True)
    links = models.PositiveSmallIntegerField(
        default=1, help_text="How many operations follow each other."
    )
    names = models.CharField(
        max_length=200, blank=True, help_text="Pattern of the results' names, or empty."
    )
    sample_seconds = models.FloatField(
        null=True, blank=True, help_text="In a sample: how much of a long file it does."
    )
    is_anew = models.BooleanField(
        default=False, help_text="Does everything itself, whatever was done before."
    )
    notify = models.CharField(max_length=254, blank=True, help_text="E-mail address, or empty.")
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when no step of it is left, e-mails included."
    )
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    number_taken = False  # `seq` is that of an event yet to be recorded

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="job_idempotency")
        ]
        indexes = [
            # The claim's WHERE, literally; it keeps claims fast beside many finished jobs.
            models.Index(
                fields=["-priority", "last_claimed_at"],
                name="job_claimable",
                condition=Q(settled_at=None, paused_at=None),
            ),
            models.Index(fields=["owner", "-id"], name="job_owner"),
            models.Index(fields=["owner"], name="job_unfinished", condition=Q(finished_at=None)),
            models.Index(fields=["expires_at"], name="job_expiring"),
            models.Index(fields=["state", "-id"], name="job_state"),
            # The console's orders and its search by name, beside a hundred thousand jobs.
            models.Index(fields=["name"], name="job_name"),
            models.Index(fields=["-priority", "-id"], name="job_priority"),
            models.Index(fields=["finished_at"], name="job_finished"),
            models.Index(fields=["created_at"], name="job_created"),
        ]

    def __str__(self) -> str:
        return self.name

    # --- questions ---------------------------------------------------------

    @property
    def items_open(self) -> int:
        return self.items_total - self.items_done - self.items_failed - self.items_cancelled

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def is_chain(self) -> bool:
        """Tell whether the results of one operation go on to another."""
        return self.links > 1

    @property
    def is_sample(self) -> bool:
        """Tell whether it only tries its options out on some of the files."""
        return self.sample_seconds is not None

    @property
    def tells(self) -> bool:
        """Tell whether an e-mail goes out at its end; of a sample only the whole job has one."""
        return bool(self.notify) and not self.is_sample

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None and not self.is_finished

    @property
    def is_cancelling(self) -> bool:
        return self.cancel_requested_at is not None and not self.is_finished

    @property
    def error_text(self) -> str:
        return sentence(self.error_code, self.error_values) if self.error_code else ""

    @property
    def error_fix(self) -> str:
        return remedy(self.error_code, self.error_values) if self.error_code else ""

    @property
    def retryable(self) -> bool:
        """Tell whether there are failed or cancelled items to try again."""
        return self.is_finished and (self.items_failed + self.items_cancelled) > 0

    # --- events ------------------------------------------------------------

    def locked(self) -> "Job":
        """Return this job's row, fresh and locked until the transaction ends."""
        return Job.objects.locked(self.pk)

    def record(self, kind: EventKind, *, actor: str = "", **body: Any) -> None:
        """Append an event under this job's row lock and ring; last in its transaction."""
        if not self.number_taken:
            self.touch()
        self.number_taken = False
        append(self.pk, self.seq, kind, body, actor)

    def touch(self) -> None:
        """Count a change that pages show; takes the job's row lock until the commit."""
        row = rows.first(TOUCH, {"job": self.pk})
        self.seq = row[0] if row else self.seq  # gone meanwhile: nobody looks any more
        self.ring()

    def ring(self) -> None:
        """Wake whoever watches this job, after the commit."""
        transaction.on_commit(lambda: bell.ring(bell.JOB, str(self.pk)))

    def ring_lanes(self) -> None:
        """Wake the workers of every lane that has a ready step of this job, after the commit."""
        ready = self.steps.filter(state=StepState.READY).order_by()  # an order makes rows distinct
        lanes = ready.values_list("lane", flat=True).distinct()
        for lane in sorted(lanes):
            transaction.on_commit(lambda lane=lane: bell.ring(bell.WORK, lane))  # type: ignore[misc]

    # --- verbs, each in the module of its topic --------------------------------

    add_plan_step = arriving.add_plan_step
    upload_arrived = arriving.upload_arrived
    upload_removed = arriving.upload_removed
    waits_for_files = arriving.waits_for_files
    leave_receiving = arriving.leave_receiving

    pass_on = chaining.pass_on
    gather = chaining.gather
    ahead_of = chaining.ahead_of

    end_item = ending.end_item
    spare = ending.spare
    end_if_done = ending.end_if_done
    settle = ending.settle

    cancel = wishes.cancel
    pause = wishes.pause
    resume = wishes.resume
    set_priority = wishes.set_priority
    tell_when_done = wishes.tell_when_done
    tell_again = wishes.tell_again
    retry = retrying.retry
    remove = removal.remove
