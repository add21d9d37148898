"""Jobs: one request of one user, with its stages and inputs. Wishes are timestamps, not states."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from uploads import bell
from uploads.conf import conf
from uploads.errors import RequestError, remedy, sentence
from uploads.models.event import Event, EventKind
from uploads.models.item import Item
from uploads.models.keys import public_key
from uploads.models.result import Result
from uploads.models.step import Step
from uploads.models.upload import Upload
from uploads.states import (
    ENDED_JOB_STATES,
    OPEN_STEP_STATES,
    ItemState,
    JobState,
    Lane,
    StepKind,
    StepState,
    UploadState,
)
from uploads.storage import store

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: Any) -> Self:
        """Return the jobs of this user; nobody, staff included, sees another's here."""
        return self.filter(owner_id=user.pk) if user.is_authenticated else self.none()

    def unfinished(self) -> Self:
        return self.filter(finished_at=None)

    def locked(self, pk: int) -> "Job":
        """Return the job with its row locked until the transaction ends."""
        rows = self.filter(pk=pk)
        if connection.vendor == "postgresql":
            rows = rows.select_for_update()
        return rows.get()


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

    def record(self, kind: EventKind, *, actor: str = "", **body: Any) -> None:
        """Append an event under this job's row lock and ring; last in its transaction."""
        self.touch()
        Event.objects.create(job=self, seq=self.seq, kind=kind, body=body, actor=actor)

    def touch(self) -> None:
        """Count a change that pages show; takes the job's row lock until the commit."""
        Job.objects.filter(pk=self.pk).update(seq=F("seq") + 1)
        self.seq = Job.objects.values_list("seq", flat=True).get(pk=self.pk)
        transaction.on_commit(lambda: bell.ring(bell.JOB, str(self.pk)))

    def ring_lanes(self) -> None:
        """Wake the workers of every lane that has a ready step of this job, after the commit."""
        lanes = self.steps.filter(state=StepState.READY).values_list("lane", flat=True).distinct()
        for lane in sorted(lanes):
            transaction.on_commit(lambda lane=lane: bell.ring(bell.WORK, lane))  # type: ignore[misc]

    # --- verbs -------------------------------------------------------------

    def add_plan_step(self, stage: "Stage") -> Step:
        """Insert the next plan step of a stage, ready at once; inside a transaction."""
        last = self.steps.filter(stage=stage, kind=StepKind.PLAN).aggregate(n=models.Max("seq"))
        return Step.objects.create(
            job=self,
            stage=stage,
            kind=StepKind.PLAN,
            seq=0 if last["n"] is None else last["n"] + 1,
            lane=Lane.LIGHT,
            owner_id=self.owner_id,
            state=StepState.READY,
            weight=0.5,
        )

    def upload_arrived(self, upload: Upload) -> None:
        """Go on with a file that is complete now; inside the upload's transaction.

        Inserts the next plan step unless one is still to run, and leaves `receiving`
        when this was the last file.
        """
        job = Job.objects.locked(self.pk)
        if job.cancel_requested_at or job.is_finished:
            return
        for stage in job.stages.filter(position=0):
            items = stage.items.open()
            items.filter(upload=upload).update(size_bytes=upload.length)
            waits = stage.takes_all and job.waits_for_files()
            waiting = job.steps.filter(stage=stage, kind=StepKind.PLAN).filter(
                state__in=[StepState.PENDING, StepState.READY]
            )
            if not waits and items.filter(step=None).exists() and not waiting.exists():
                job.add_plan_step(stage)
        job.leave_receiving()
        job.record(EventKind.UPLOAD_ARRIVED, name=upload.name)
        job.ring_lanes()

    def upload_removed(self, upload: Upload) -> None:
        """Fail the items that wait for a file that will never come; inside a transaction."""
        job = Job.objects.locked(self.pk)
        waiting = job.items.open().filter(upload=upload, step=None)
        for item in waiting:
            job.end_item(
                item, ItemState.FAILED, code="upload_removed", values={"name": upload.name}
            )
        job.leave_receiving()
        job.end_if_done()
        job.touch()

    def waits_for_files(self) -> bool:
        """Tell whether a file of this job is still on its way."""
        return self.inputs.filter(upload__state=UploadState.RECEIVING).exists()

    def leave_receiving(self) -> None:
        """Move on once every file is here (or gone)."""
        if self.state == JobState.RECEIVING and not self.waits_for_files():
            self.state = JobState.RUNNING if self.started_at else JobState.QUEUED
            self.save(update_fields=["state"])

    def served(self, now: datetime) -> None:
        """Note a claim: the time for fairness, and queued → running at the first one."""
        Job.objects.filter(pk=self.pk).update(
            last_claimed_at=now,
            started_at=Coalesce("started_at", Value(now)),
            state=Case(
                When(state=JobState.QUEUED, then=Value(JobState.RUNNING.value)), default=F("state")
            ),
        )

    def end_item(
        self,
        item: Item,
        state: ItemState,
        *,
        code: str = "",
        values: dict[str, Any] | None = None,
        detail: str = "",
        warnings: Iterable[str] = (),
    ) -> bool:
        """End one open item and count it; False when it had ended already. Inside a transaction."""
        won = Item.objects.filter(pk=item.pk, state=ItemState.OPEN).update(
            state=state,
            error_code=code,
            error_values=values or {},
            error_detail=detail,
            warnings=list(warnings),
            finished_at=timezone.now(),
        )
        if not won:
            return False
        counter = {
            ItemState.SUCCEEDED: "items_done",
            ItemState.FAILED: "items_failed",
            ItemState.CANCELLED: "items_cancelled",
        }[state]
        Job.objects.filter(pk=self.pk).update(**{counter: F(counter) + 1})
        setattr(self, counter, getattr(self, counter) + 1)
        return True

    def end_if_done(self) -> bool:
        """End the job with its last open item; inserts the notify step. Inside a transaction."""
        job = Job.objects.locked(self.pk)
        if job.is_finished or job.items_open > 0:
            return False
        now = timezone.now()
        job.state = job._outcome()
        job.finished_at = now
        job.expires_at = now + timedelta(seconds=conf.RESULT_KEEP_SECONDS)
        job.paused_at, job.paused_by = None, ""
        job.settled_at = None if job.notify else now
        self._cancel_steps(job, [StepState.PENDING, StepState.READY])
        job.save(
            update_fields=[
                "state",
                "finished_at",
                "expires_at",
                "paused_at",
                "paused_by",
                "settled_at",
            ]
        )
        if job.notify:
            job._add_notify_step()
        job.record(
            EventKind.ENDED,
            state=job.state,
            done=job.items_done,
            failed=job.items_failed,
            cancelled=job.items_cancelled,
        )
        job.ring_lanes()
        return True

    def _outcome(self) -> JobState:
        if self.cancel_requested_at and self.items_cancelled:
            return JobState.CANCELLED
        if not self.items_failed and not self.items_cancelled:
            return JobState.SUCCEEDED
        return JobState.PARTIAL if self.items_done else JobState.FAILED

    def _add_notify_step(self) -> None:
        stage = self.stages.order_by("-position")[0]
        count = self.steps.filter(kind=StepKind.NOTIFY, stage=stage).count()
        Step.objects.create(
            job=self,
            stage=stage,
            kind=StepKind.NOTIFY,
            seq=count,
            lane=Lane.LIGHT,
            owner_id=self.owner_id,
            state=StepState.READY,
            weight=0.5,
            params={"recipient": self.notify},
        )

    @staticmethod
    def _cancel_steps(job: "Job", states: list[StepState]) -> None:
        steps = job.steps.filter(state__in=states).exclude(kind=StepKind.NOTIFY)
        steps.update(state=StepState.CANCELLED, finished_at=timezone.now())

    def cancel(self, actor: str) -> bool:
        """Ask for the job's end: what waits ends now, what runs is told within a second.

        One transaction; False when the job has ended or was cancelled before.
        """
        with transaction.atomic():
            won = Job.objects.filter(pk=self.pk, finished_at=None, cancel_requested_at=None).update(
                cancel_requested_at=timezone.now()
            )
            if not won:
                return False
            job = Job.objects.locked(self.pk)
            self._cancel_steps(job, [StepState.PENDING, StepState.READY])
            running = job.steps.filter(state=StepState.RUNNING)
            held = Q(step__in=running) | Q(pk__in=running.values("item"))
            for item in job.items.open().exclude(held):
                job.end_item(item, ItemState.CANCELLED, code="item_cancelled")
            job.record(EventKind.CANCEL_REQUESTED, actor=actor)
            job.end_if_done()
            transaction.on_commit(lambda: bell.ring(bell.WORK))
        self.refresh_from_db()
        return True

    def pause(self, actor: str) -> bool:
        """Claim no further step of this job; running steps end. False when it was paused or ended."""
        with transaction.atomic():
            won = Job.objects.filter(pk=self.pk, paused_at=None, finished_at=None).update(
                paused_at=timezone.now(), paused_by=actor
            )
            if won:
                Job.objects.locked(self.pk).record(EventKind.PAUSED, actor=actor)
        self.refresh_from_db()
        return bool(won)

    def resume(self, actor: str) -> bool:
        """Claim steps of this job again. False when it was not paused."""
        with transaction.atomic():
            won = (
                Job.objects.filter(pk=self.pk, finished_at=None)
                .exclude(paused_at=None)
                .update(paused_at=None, paused_by="")
            )
            if won:
                job = Job.objects.locked(self.pk)
                job.record(EventKind.RESUMED, actor=actor)
                job.ring_lanes()
        self.refresh_from_db()
        return bool(won)

    def set_priority(self, priority: int, actor: str) -> None:
        """Change the order of claims from now on."""
        with transaction.atomic():
            Job.objects.filter(pk=self.pk).update(priority=priority)
            Job.objects.locked(self.pk).record(EventKind.PRIORITY, actor=actor, priority=priority)
        self.refresh_from_db()

    def retry(self, actor: str) -> int:
        """Do the failed and cancelled items again, and only those; return how many.

        Parts of an item that succeeded are kept. One transaction, guarded by the end.
        Raises `RequestError` (`conflict`) when an input is gone or nothing is to be retried.
        """
        with transaction.atomic():
            job = Job.objects.locked(self.pk)
            if not job.retryable:
                raise RequestError("conflict", reason="there is nothing to retry.")
            items = list(job.items.filter(state__in=[ItemState.FAILED, ItemState.CANCELLED]))
            gone = job.inputs.exclude(upload__state=UploadState.COMPLETE)
            if gone.exists():
                names = ", ".join(gone.values_list("upload__name", flat=True)[:3])
                raise RequestError("conflict", reason=f"the file {names} is no longer here.")
            self._reopen(job, items)
            for stage in job.stages.all():
                if stage.items.unplanned().exists():
                    job.add_plan_step(stage)
            job.record(EventKind.RETRIED, actor=actor, items=len(items))
            job.ring_lanes()
        self.refresh_from_db()
        return len(items)

    @staticmethod
    def _reopen(job: "Job", items: list[Item]) -> None:
        keys = [item.pk for item in items]
        parts = job.steps.filter(item__in=keys)
        divided = set(parts.filter(kind=StepKind.JOIN).values_list("item_id", flat=True))
        whole = [key for key in keys if key not in divided]
        again = parts.filter(state__in=[StepState.FAILED, StepState.CANCELLED])
        fresh = {"attempt": 0, "crashes": 0, "error": "", "finished_at": None}
        again.filter(kind=StepKind.WORK).update(
            state=StepState.READY, not_before=timezone.now(), progress=0, **fresh
        )
        again.filter(kind=StepKind.JOIN).update(state=StepState.PENDING, progress=0, **fresh)
        Step.ready_joins(job)
        Item.objects.filter(pk__in=whole).update(step=None)
        Item.objects.filter(pk__in=keys).update(
            state=ItemState.OPEN, error_code="", error_values={}, error_detail="", finished_at=None
        )
        failed = sum(item.state == ItemState.FAILED for item in items)
        job.items_failed -= failed
        job.items_cancelled -= len(items) - failed
        rest = parts.filter(state__in=[StepState.READY, StepState.PENDING])
        job.weight_total = (
            job.weight_done
            + sum(item.weight for item in items if item.pk not in divided)
            + sum(rest.values_list("weight", flat=True))
        )
        job.state = JobState.QUEUED
        job.cancel_requested_at = job.finished_at = job.settled_at = job.expires_at = None
        job.error_code, job.error_values = "", {}
        job.save()

    def tell_when_done(self, address: str) -> bool:
        """Set where the e-mail at the end goes; empty for nowhere. False when the job has ended."""
        with transaction.atomic():
            won = Job.objects.filter(pk=self.pk, finished_at=None).update(notify=address)
            if won:
                Job.objects.locked(self.pk).touch()
        self.refresh_from_db()
        return bool(won)

    def remove(self, actor: str) -> int:
        """Delete the job, its results and the uploads that no other job uses; return the bytes freed.

        Rows go in one transaction, bytes after its commit; a worker still at it finds its
        lease gone and discards. A crash in between leaves bytes that the prune sweeps.
        """
        with transaction.atomic():
            self.cancel(actor)
            pk = Job.objects.locked(self.pk).pk
            stored = dict(self.results.values_list("storage_key", "size_bytes"))
            used = list(self.inputs.values_list("upload_id", flat=True))
            self.results.all().delete()
            self.events.all().delete()
            self.delete()
            for chunk in _chunks(list(stored)):
                for key in Result.objects.filter(storage_key__in=chunk).values_list("storage_key"):
                    stored.pop(key[0], None)
            for chunk in _chunks(used):
                stored |= Upload.objects.filter(pk__in=chunk).unused().terminate()
            transaction.on_commit(lambda: _delete_bytes(stored))
            transaction.on_commit(lambda: bell.ring(bell.JOB, str(pk)))
        return sum(stored.values())

    def settle(self) -> None:
        """Note that no step is left once the job has ended; inside a transaction."""
        open_steps = self.steps.filter(state__in=OPEN_STEP_STATES)
        if not open_steps.exists():
            Job.objects.filter(pk=self.pk, settled_at=None).exclude(finished_at=None).update(
                settled_at=timezone.now()
            )

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED_JOB_STATES


def _chunks(values: list[Any]) -> Iterable[list[Any]]:
    """Return the values in pieces of a size that SQLite can bind."""
    return (values[start : start + 500] for start in range(0, len(values), 500))


def _delete_bytes(storage_keys: Iterable[str]) -> None:
    for key in storage_keys:
        store.delete(key)


class Stage(models.Model):
    """One operation of a job with its options; a plain job has one."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="stages"
    )
    position = models.PositiveSmallIntegerField(default=0)
    operation = models.CharField(max_length=80)
    version = models.PositiveIntegerField(default=1)
    takes_all = models.BooleanField(default=False)
    options = models.JSONField(default=dict)

    class Meta:
        ordering = ["job_id", "position"]
        constraints = [models.UniqueConstraint(fields=["job", "position"], name="stage_place")]

    def __str__(self) -> str:
        return self.operation


class Input(models.Model):
    """A file that a job uses: as a `source`, or for the option that `role` names."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="inputs"
    )
    upload: "models.ForeignKey[Upload, Upload]" = models.ForeignKey(
        Upload, on_delete=models.PROTECT, related_name="inputs"
    )
    role = models.CharField(max_length=80, default="source")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["job_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["job", "role", "position"], name="input_place")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.position}"
