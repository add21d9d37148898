"""Events: append-only facts of a job, numbered per job under the job's row lock."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils import timezone

from uploads.errors import fill
from uploads.models import rows

if TYPE_CHECKING:
    from uploads.models.job import Job


class EventKind(StrEnum):
    """What happened; the value is stored, the sentence is in `TEXTS`."""

    SUBMITTED = "submitted"
    UPLOAD_ARRIVED = "upload_arrived"
    PLANNED = "planned"
    STEP_DONE = "step_done"
    STEP_KEPT = "step_kept"
    REUSED = "reused"
    STEP_RETRY = "step_retry"
    STEP_FAILED = "step_failed"
    WORKER_LOST = "worker_lost"
    STEP_RELEASED = "step_released"
    STEP_HELD = "step_held"
    ITEM_DONE = "item_done"
    ITEM_FAILED = "item_failed"
    LOG = "log"
    WARNING = "warning"
    PAUSED = "paused"
    RESUMED = "resumed"
    CANCEL_REQUESTED = "cancel_requested"
    RETRIED = "retried"
    PRIORITY = "priority"
    ENDED = "ended"
    MAIL_SENT = "mail_sent"
    MAIL_UNKNOWN = "mail_unknown"


TEXTS: dict[str, str] = {
    EventKind.SUBMITTED: "{actor} started the job: {items}.",
    EventKind.UPLOAD_ARRIVED: "“{name}” has arrived.",
    EventKind.PLANNED: "Planned {items} as {steps}.",
    EventKind.STEP_DONE: "Finished {label} in {seconds} s.",
    EventKind.STEP_KEPT: "{label} was stopped; its {count} finished files are kept.",
    EventKind.REUSED: "Done before in the same way, so taken over: {count} of the files.",
    EventKind.STEP_RETRY: "{label} failed and is tried again in {seconds} s: {text}",
    EventKind.STEP_FAILED: "{label} failed for good: {text}",
    EventKind.WORKER_LOST: "The worker of {label} died; it is done again.",
    EventKind.STEP_RELEASED: "{label} was put back because its worker stops.",
    EventKind.STEP_HELD: "{label} was put back: {text} It goes on by itself.",
    EventKind.ITEM_DONE: "“{name}” is done.",
    EventKind.ITEM_FAILED: "{text}",
    EventKind.LOG: "{text}",
    EventKind.WARNING: "{text}",
    EventKind.PAUSED: "{actor} paused the job.",
    EventKind.RESUMED: "{actor} resumed the job.",
    EventKind.CANCEL_REQUESTED: "{actor} cancelled the job.",
    EventKind.RETRIED: "{actor} retried {items}.",
    EventKind.PRIORITY: "{actor} set the priority to {priority}.",
    EventKind.ENDED: "The job ended: {done} done, {failed} failed, {cancelled} cancelled.",
    EventKind.MAIL_SENT: "The e-mail to {recipient} was sent.",
    EventKind.MAIL_UNKNOWN: "It is not known whether the e-mail to {recipient} was sent.",
}


APPEND = """
INSERT INTO uploads_event (job_id, seq, kind, body, actor, at)
VALUES (%(job)s, %(seq)s, %(kind)s, %(body)s, %(actor)s, %(at)s)
"""


class Event(models.Model):
    """One fact; `seq` grows within the job and is the cursor of every page that watches it."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        # `event_once` begins with the job: an index of its own would be written for nothing.
        "uploads.Job",
        on_delete=models.CASCADE,
        related_name="events",
        db_index=False,
    )
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=20)
    body = models.JSONField(default=dict)
    actor = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["job_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["job", "seq"], name="event_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.seq}"

    @property
    def text(self) -> str:
        """Return the event as a sentence."""
        body = self.body if isinstance(self.body, dict) else {}
        counted = {name: _counted(body[name], name) for name in ("items", "steps") if name in body}
        values = {"actor": self.actor or "Tidemill", **body, **counted}
        return fill(TEXTS.get(self.kind, self.kind), values)

    @property
    def level(self) -> str:
        """Return `error`, `warning` or `info`, for the log's colour and filter."""
        if self.kind in {EventKind.ITEM_FAILED, EventKind.STEP_FAILED}:
            return "error"
        warnings = {EventKind.WARNING, EventKind.STEP_RETRY, EventKind.WORKER_LOST}
        warnings |= {EventKind.MAIL_UNKNOWN, EventKind.STEP_HELD}
        return "warning" if self.kind in warnings else "info"

    def as_json(self) -> list[Any]:
        """Return `[seq, kind, body]` as sockets and the state URL send it."""
        shown = {"text": self.text, "level": self.level, "at": self.at.isoformat()}
        return [self.seq, self.kind, {**self.body, **shown}]


def append(job_id: int, seq: int, kind: EventKind, body: dict[str, Any], actor: str = "") -> None:
    """Write one event under its job's row lock; `Job.record` does, and gives the number."""
    told = {"kind": str(kind), "body": json.dumps(body), "actor": actor, "at": timezone.now()}
    rows.change(APPEND, {"job": job_id, "seq": seq, **told})


def _counted(count: int, words: str) -> str:
    """Return “1 item” or “3 items”."""
    return f"{count} {words.removesuffix('s') if count == 1 else words}"
