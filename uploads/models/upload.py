"""Uploads: files arriving or arrived. The file's size on disk is the truth, `offset` a hint."""

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, models, transaction
from django.db.models import Sum
from django.utils import timezone

from uploads import bell
from uploads.conf import conf
from uploads.models.keys import upload_key
from uploads.states import UploadState
from uploads.storage import store

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from uploads.models.job import Job


class UploadQuerySet(models.QuerySet["Upload"]):
    def visible_to(self, user: Any) -> Self:
        """Return the uploads of this user; nobody, staff included, sees another's here."""
        return self.filter(owner_id=user.pk) if user.is_authenticated else self.none()

    def unused(self) -> Self:
        """Return the uploads that no job refers to, and no preset."""
        return self.filter(inputs=None, saved_presets=None)

    def alive(self) -> Self:
        """Return the uploads whose bytes are wanted."""
        return self.filter(state__in=[UploadState.RECEIVING, UploadState.COMPLETE])

    def locked(self) -> Self:
        """Lock these uploads until the commit, in one order; SQLite's writers lock all there is.

        Who only refers to them, as a commit of results does, is not kept waiting: it holds
        results, for which a removal that holds uploads may be waiting.
        """
        if connection.vendor != "postgresql":
            return self
        return self.order_by("pk").select_for_update(no_key=True)

    def terminate(self) -> dict[str, int]:
        """Give these uploads up, inside a transaction; return the keys to delete after it, with bytes."""
        chosen = list(self.alive())
        Upload.objects.filter(pk__in=[upload.pk for upload in chosen]).update(
            state=UploadState.TERMINATED, expires_at=timezone.now() + timedelta(days=7)
        )
        return {upload.storage_key: upload.offset for upload in chosen}

    def bytes_taken(self) -> int:
        """Return the bytes reserved by these uploads, their full length from the start."""
        return int(self.alive().aggregate(total=Sum("length"))["total"] or 0)


class Upload(models.Model):
    """One file arriving or arrived; owned by one user, kept while a job refers to it."""

    key = models.CharField(max_length=32, unique=True, default=upload_key, editable=False)
    owner: "models.ForeignKey[User, User]" = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads"
    )
    name = models.CharField(max_length=255)
    relative_path = models.CharField(max_length=1000, blank=True)
    length = models.BigIntegerField(help_text="Bytes announced; the file is complete at this size.")
    offset = models.BigIntegerField(default=0, help_text="Bytes arrived, as last written down.")
    state = models.CharField(max_length=12, default=UploadState.RECEIVING)
    kind = models.CharField(max_length=12, blank=True)
    media_type = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    metadata = models.CharField(max_length=4096, blank=True, help_text="Upload-Metadata as sent.")
    created_at = models.DateTimeField(default=timezone.now)
    last_byte_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="upload_expiring",
                condition=models.Q(state__in=["receiving", "complete"]),
            ),
            models.Index(fields=["owner", "-id"], name="upload_owner"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def storage_key(self) -> str:
        """Return where the bytes are, from the first to the last."""
        return f"incoming/{self.key[:2]}/{self.key}"

    @property
    def size_bytes(self) -> int:
        """Return its length, under the name that results have it by."""
        return self.length

    @property
    def is_complete(self) -> bool:
        return self.state == UploadState.COMPLETE

    def touch(self, offset: int) -> None:
        """Write down how far the bytes have come and put off the expiry."""
        now = timezone.now()
        type(self).objects.filter(pk=self.pk, state=UploadState.RECEIVING).update(
            offset=offset,
            last_byte_at=now,
            expires_at=now + timedelta(seconds=conf.UPLOAD_KEEP_SECONDS),
        )
        self.offset = offset

    def complete(self, *, kind: str, media_type: str) -> bool:
        """Mark all bytes as arrived; True for the one caller that did it.

        One transaction with `Job.upload_arrived` for every job that waits for the file,
        guarded by the state, so two racing last pieces start the work once.
        """
        now = timezone.now()
        with transaction.atomic():
            won = (
                type(self)
                .objects.filter(pk=self.pk, state=UploadState.RECEIVING)
                .update(
                    state=UploadState.COMPLETE,
                    offset=self.length,
                    kind=kind,
                    media_type=media_type,
                    completed_at=now,
                    last_byte_at=now,
                    expires_at=now + timedelta(seconds=conf.UPLOAD_KEEP_SECONDS),
                )
            )
            if not won:
                return False
            self.refresh_from_db()
            for job in self.waiting_jobs():
                with suppress(ObjectDoesNotExist):  # removed meanwhile
                    job.upload_arrived(self)
        return True

    def waiting_jobs(self) -> "list[Job]":
        """Return the unfinished jobs that use this file, in one order for everybody's locks."""
        uses = self.inputs.filter(job__finished_at=None).select_related("job").order_by("job_id")
        return list({use.job_id: use.job for use in uses}.values())

    def remove(self, state: UploadState) -> bool:
        """Give the upload up (`expired` or `terminated`): fail its open items, free its bytes.

        The row stays until the next prune, so that a late client is told why.
        """
        with transaction.atomic():
            won = (
                type(self)
                .objects.alive()
                .filter(pk=self.pk)
                .update(state=state, expires_at=timezone.now() + timedelta(days=7))
            )
            if not won:
                return False
            if self._taken_since(state):
                transaction.set_rollback(True)
                return False
            for job in self.waiting_jobs():
                with suppress(ObjectDoesNotExist):  # removed meanwhile
                    job.upload_removed(self)
            transaction.on_commit(lambda: store.delete(self.storage_key))
            transaction.on_commit(lambda: bell.ring(bell.JOB))
        self.state = state
        return True

    def _taken_since(self, state: UploadState) -> bool:
        """Tell whether a job uses the arrived file, seen under the lock that a submit takes first.

        An expiry spares the files of ended jobs as well, which may be retried.
        """
        arrived = type(self).objects.filter(pk=self.pk).exclude(completed_at=None).exists()
        if not arrived:
            return False
        return self.inputs.exists() if state == UploadState.EXPIRED else bool(self.waiting_jobs())
