"""Stages, inputs and candidates of a job: its operations with their options, and its files."""

from typing import TYPE_CHECKING, Any

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


def option_role(position: int, option: str) -> str:
    """Return the role of a file that an option of a stage names."""
    return f"{position}.{option}" if position else option


def option_of(role: str) -> str:
    """Return the option that a role names."""
    return role.rpartition(".")[2]


class Candidate(models.Model):
    """A file of the request that a sample was chosen from; it does not keep the file."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        "uploads.Job", on_delete=models.CASCADE, related_name="candidates"
    )
    upload: "models.ForeignKey[Upload, Upload]" = models.ForeignKey(
        Upload, on_delete=models.CASCADE, related_name="candidates"
    )
    position = models.PositiveIntegerField()
    options = models.JSONField(default=dict, blank=True, help_text="Its own, beside the job's.")

    class Meta:
        ordering = ["job_id", "position"]
        constraints = [models.UniqueConstraint(fields=["job", "position"], name="candidate_place")]

    def __str__(self) -> str:
        return f"candidate {self.position}"


def upload_keys(job: "Job") -> list[str]:
    """Return the keys of the files that a job was asked to work on, of a sample all of them."""
    rows = job.candidates if job.is_sample else job.inputs.filter(role="source")
    return list(rows.order_by("position").values_list("upload__key", flat=True))


def own_options_of(job: "Job") -> dict[str, dict[str, Any]]:
    """Return the options that files of a job's request have of their own, by their uploads' keys."""
    rows = job.candidates if job.is_sample else job.items
    return dict(rows.exclude(options={}).values_list("upload__key", "options"))
