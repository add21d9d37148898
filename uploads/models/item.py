"""Items: what the user counts, normally one input file each."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Self

from django.db import models

from uploads.errors import remedy, sentence
from uploads.models import rows
from uploads.names import PATH_MAX_CHARACTERS
from uploads.states import ItemState

if TYPE_CHECKING:
    from uploads.models.job import Job
    from uploads.models.result import Result
    from uploads.models.stage import Stage
    from uploads.models.step import Step
    from uploads.models.upload import Upload


OPEN_OF_STEP = """
SELECT {columns} FROM uploads_item WHERE step_id = %(step)s AND state = 'open' ORDER BY position
"""


@dataclass(frozen=True)
class Source:
    """A file that work is done on: an upload, or what the operation before made."""

    name: str
    media_type: str
    size_bytes: int
    storage_key: str
    relative_path: str = ""


def source_of(made: "Upload | Result") -> Source:
    """Return an upload or a result as a source; a result lies where its own source lay.

    One whose name makes the path longer than any may be lies in no folder.
    """
    path = made.relative_path
    if path:
        path = str(PurePosixPath(path).with_name(made.name))
    if len(path) > PATH_MAX_CHARACTERS:
        path = ""
    return Source(made.name, made.media_type, made.size_bytes, made.storage_key, path)


class ItemQuerySet(models.QuerySet["Item"]):
    def open(self) -> Self:
        return self.filter(state=ItemState.OPEN)

    def unplanned(self) -> Self:
        """Return the open items that no step carries yet."""
        return self.open().filter(step=None)

    def open_of(self, step: "Step") -> "list[Item]":
        """Return the open items that a batch or join carries, in their order, with their uploads."""
        items = rows.every(Item, OPEN_OF_STEP, {"step": step.pk})
        models.prefetch_related_objects(items, "upload", "origin")
        return items


class Item(models.Model):
    """One thing of a job; `step` is the batch that carries it, or its join when it has parts."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        "uploads.Job", on_delete=models.CASCADE, related_name="items"
    )
    stage: "models.ForeignKey[Stage, Stage]" = models.ForeignKey(
        "uploads.Stage", on_delete=models.CASCADE, related_name="items"
    )
    position = models.PositiveIntegerField()
    upload: "models.ForeignKey[Upload | None, Upload | None]" = models.ForeignKey(
        "uploads.Upload", null=True, blank=True, on_delete=models.SET_NULL, related_name="items"
    )
    origin: "models.ForeignKey[Result | None, Result | None]" = models.ForeignKey(
        "uploads.Result",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="successors",
        help_text="What the operation before made; None where it is an upload.",
    )
    step: "models.ForeignKey[Step | None, Step | None]" = models.ForeignKey(
        "uploads.Step", null=True, blank=True, on_delete=models.SET_NULL, related_name="items"
    )
    step_id: int | None
    upload_id: int | None
    origin_id: int | None
    name = models.CharField(max_length=255)
    relative_path = models.CharField(max_length=1000, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, default=ItemState.OPEN)
    weight = models.FloatField(default=1, help_text="Estimated seconds of one worker.")
    error_code = models.CharField(max_length=40, blank=True)
    error_values = models.JSONField(default=dict, blank=True)
    error_detail = models.TextField(blank=True, help_text="The tool's last lines.")
    warnings = models.JSONField(default=list, blank=True)
    options = models.JSONField(
        default=dict, blank=True, help_text="Its own, beside those of its stage."
    )
    result_key = models.CharField(
        max_length=64, blank=True, help_text="Stands for all that its results depend on."
    )
    twin: "models.ForeignKey[Item | None, Item | None]" = models.ForeignKey(
        "uploads.Item",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The item whose results it took over.",
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ["job_id", "stage_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["job", "stage", "position"], name="item_place")
        ]
        indexes = [
            models.Index(fields=["job", "state", "position"], name="item_state"),
            models.Index(
                fields=["job", "stage", "position"],
                name="item_unplanned",
                condition=models.Q(state="open", step=None),
            ),
            models.Index(
                fields=["result_key"], name="item_result_key", condition=~models.Q(result_key="")
            ),
            # What ended lately: the console's chart, and its failures by error.
            models.Index(
                fields=["finished_at"], name="item_done", condition=models.Q(state="succeeded")
            ),
            models.Index(
                fields=["finished_at", "error_code"],
                name="item_failed",
                condition=models.Q(state="failed"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> str:
        """Return which of its job's items it is; its `stage` should be selected with it."""
        stage = self.stage.position
        return f"{stage}.{self.position}" if stage else str(self.position)

    @property
    def source(self) -> "Source | None":
        """Return the one file that it is about, None where it takes all at once."""
        made = self.upload or self.origin
        return source_of(made) if made else None

    @property
    def error_text(self) -> str:
        """Return what is wrong with the file, in words, or an empty text."""
        values = {"name": self.name, **self.error_values}
        return sentence(self.error_code, values) if self.error_code else ""

    @property
    def error_fix(self) -> str:
        """Return what the owner can do about it, or an empty text."""
        return remedy(self.error_code, self.error_values) if self.error_code else ""
