"""Stages and inputs of a job: its operations with their options, and the files that it uses."""

from typing import TYPE_CHECKING

from django.db import models

from uploads.models.upload import Upload

if TYPE_CHECKING:
    from uploads.models.job import Job


class Stage(models.Model):
    """One operation of a job with its options; a plain job has one."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        "uploads.Job", on_delete=models.CASCADE, related_name="stages"
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
        "uploads.Job", on_delete=models.CASCADE, related_name="inputs"
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
