"""Results: produced files. Bytes go when no row refers to them."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Sum
from django.utils import timezone

from uploads.models.keys import public_key

if TYPE_CHECKING:
    from uploads.models.item import Item
    from uploads.models.job import Job
    from uploads.models.step import Step

# What a chain's operation made for the next one, and files that belong to such a one.
BETWEEN = "between"
WITHIN = "within"
ROWS_AT_ONCE = 500  # SQLite binds a limited number of values


class ResultQuerySet(models.QuerySet["Result"]):
    def visible_to(self, user: Any) -> Self:
        """Return the results of this user's jobs."""
        return self.filter(job__owner_id=user.pk) if user.is_authenticated else self.none()

    def finished(self) -> Self:
        """Return what the user came for: no previews, no parts."""
        return self.filter(role__in=["result", "report", "inner"])

    def opened(self) -> Self:
        """Return what is opened or shown: of files that belong together the main one alone."""
        return self.filter(role__in=["result", "report"])

    def forget(self) -> dict[str, int]:
        """Delete these rows, inside a transaction; return the bytes by key that nobody else refers to."""
        stored = dict(self.values_list("storage_key", "size_bytes"))
        self.delete()
        keys = list(stored)
        for start in range(0, len(keys), ROWS_AT_ONCE):
            shared = Result.objects.filter(storage_key__in=keys[start : start + ROWS_AT_ONCE])
            for key in shared.values_list("storage_key", flat=True):
                stored.pop(key, None)
        return stored

    def bytes_taken(self) -> int:
        return int(self.aggregate(total=Sum("size_bytes"))["total"] or 0)


class Result(models.Model):
    """One produced file; its storage key holds the lease token, so two tries never share one."""

    key = models.CharField(max_length=24, unique=True, default=public_key, editable=False)
    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        "uploads.Job", on_delete=models.CASCADE, related_name="results"
    )
    item: "models.ForeignKey[Item | None, Item | None]" = models.ForeignKey(
        "uploads.Item", null=True, blank=True, on_delete=models.CASCADE, related_name="results"
    )
    item_id: int | None
    step: "models.ForeignKey[Step, Step]" = models.ForeignKey(
        "uploads.Step", on_delete=models.CASCADE, related_name="results"
    )
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=255)
    made_as = models.CharField(
        max_length=255,
        blank=True,
        help_text="What its operation called it, before it got its name.",
    )
    relative_path = models.CharField(max_length=1000, blank=True)
    role = models.CharField(max_length=10, default="result")
    storage_key = models.CharField(max_length=200)
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=100)
    meta = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ResultQuerySet.as_manager()

    class Meta:
        ordering = ["job_id", "id"]
        constraints = [models.UniqueConstraint(fields=["step", "position"], name="result_place")]
        indexes = [
            models.Index(fields=["job", "role", "id"], name="result_role"),
            models.Index(fields=["storage_key"], name="result_storage_key"),
        ]

    def __str__(self) -> str:
        return self.name
