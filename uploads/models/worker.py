"""Workers: one row for each live worker process, renewed while it lives."""

from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from uploads.models.step import Step

SILENT_SECONDS = 20


class WorkerQuerySet(models.QuerySet["Worker"]):
    def live(self, lane: str | None = None) -> Self:
        """Return the workers heard of lately, of one lane or of all."""
        since = timezone.now() - timedelta(seconds=SILENT_SECONDS)
        heard = self.filter(last_seen_at__gte=since)
        return heard.filter(lane=lane) if lane else heard


class Worker(models.Model):
    """A process that claims steps; host, pid and start time name it, never a bare pid."""

    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    start_time = models.CharField(
        max_length=40, help_text="The kernel's start time of the process."
    )
    lane = models.CharField(max_length=10)
    step: "models.ForeignKey[Step | None, Step | None]" = models.ForeignKey(
        "uploads.Step", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    budget_bytes = models.BigIntegerField(
        default=0, help_text="Memory that its host gives to all its steps together."
    )
    rss_bytes = models.BigIntegerField(default=0)
    versions = models.JSONField(default=dict, blank=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["host", "lane", "pid"]
        constraints = [
            models.UniqueConstraint(fields=["host", "pid", "start_time"], name="worker_process")
        ]

    def __str__(self) -> str:
        return f"{self.lane} {self.host}:{self.pid}"
