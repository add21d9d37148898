"""Messages: one row a recipient of a batch of e-mails; at most one e-mail to anyone of a job."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models.event import EventKind
from uploads.models.step import Step
from uploads.states import OPEN_STEP_STATES, Lane, StepKind

if TYPE_CHECKING:
    from uploads.models.item import Item
    from uploads.models.job import Job


class MessageState(StrEnum):
    """How far one e-mail is; `sending` is written before the SMTP dialogue, the others after it."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class MessageQuerySet(models.QuerySet["Message"]):
    def unknown(self) -> Self:
        """Return those of which nobody knows whether they went out; also what an ended job left."""
        left = Q(state=MessageState.SENDING) & ~Q(job__finished_at=None)
        return self.filter(Q(state=MessageState.UNKNOWN) | left)

    def troubled(self) -> Self:
        """Return those that were refused or are unknown, and of an ended job those never sent."""
        ended = ~Q(job__finished_at=None) & ~Q(state=MessageState.SENT)
        return self.filter(Q(state__in=[MessageState.REFUSED, MessageState.UNKNOWN]) | ended)

    def counts(self) -> dict[str, int]:
        """Return how many there are of each state, in the states' order, without empty ones."""
        rows = self.order_by().values("state").annotate(n=models.Count("id"))
        found = dict(rows.values_list("state", "n"))
        return {str(state): found[state] for state in MessageState if state in found}


class Message(models.Model):
    """One e-mail to one recipient; `letter` is what it says until it is sent."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        "uploads.Job", on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    job_id: int
    item: "models.ForeignKey[Item, Item]" = models.ForeignKey(
        "uploads.Item", on_delete=models.CASCADE, related_name="messages"
    )
    position = models.PositiveIntegerField()
    recipient = models.CharField(max_length=254)
    address_key = models.CharField(max_length=254, help_text="The address in lower case.")
    state = models.CharField(max_length=8, default=MessageState.WAITING)
    reason = models.CharField(max_length=500, blank=True)
    letter = models.JSONField(null=True, blank=True)
    sending_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["job_id", "id"]
        constraints = [models.UniqueConstraint(fields=["job", "address_key"], name="message_once")]
        indexes = [
            models.Index(fields=["item", "state", "id"], name="message_state"),
            # Before each e-mail it is asked when the last one of its job went out.
            models.Index(fields=["job", "sending_at"], name="message_pace"),
        ]

    def __str__(self) -> str:
        return self.recipient

    @property
    def shown_state(self) -> str:
        """Return the state as people see it: what an ended job left in the middle is unknown."""
        if self.state == MessageState.SENDING and self.job.is_finished:
            return MessageState.UNKNOWN
        return self.state

    def mark_sending(self) -> datetime | None:
        """Waiting → sending; returns the mark, None when another was faster. In a transaction."""
        now = timezone.now()
        won = Message.objects.filter(pk=self.pk, state=MessageState.WAITING).update(
            state=MessageState.SENDING, sending_at=now, finished_at=None, reason=""
        )
        return now if won else None

    def conclude(self, mark: datetime, state: MessageState, reason: str = "") -> None:
        """Write down what the server said, unless somebody has sent it anew since.

        The mark is the fence: what a late worker knows of its own dialogue stays true
        although it has lost its lease and the row was called unknown meanwhile.
        """
        rows = Message.objects.filter(
            pk=self.pk, sending_at=mark, state__in=[MessageState.SENDING, MessageState.UNKNOWN]
        )
        over = state not in {MessageState.WAITING}
        values = {"letter": None} if state == MessageState.SENT else {}
        rows.update(
            state=state, reason=reason[:500], finished_at=timezone.now() if over else None, **values
        )


def seconds_each(options: Mapping[str, Any]) -> float:
    """Return the seconds from one e-mail of a job to the next: as asked, and no faster than is let."""
    return 60 / max(1, min(int(options.get("per_minute", 60)), conf.MAIL_PER_MINUTE))


def resend(job: "Job", number: int, actor: str) -> None:
    """Send one message of an ended job again, as only a person may decide.

    Raises `RequestError`: `not_found`, or `conflict` when it was sent or waits already.
    """
    with transaction.atomic():
        locked = job.locked()
        message = Message.objects.filter(job=job, pk=number).select_related("item").first()
        if message is None:
            raise RequestError("not_found")
        if not locked.is_finished:
            raise RequestError("conflict", reason="the job is still at work.")
        message.job = locked
        resends = locked.steps.filter(kind=StepKind.NOTIFY, item=message.item_id)
        waits = resends.filter(params__message=number, state__in=OPEN_STEP_STATES).exists()
        if message.state == MessageState.SENT or waits:
            raise RequestError("conflict", reason="the e-mail was sent, or is being sent.")
        Message.objects.filter(pk=number).update(
            state=MessageState.WAITING, reason="", sending_at=None
        )
        stage = message.item.stage
        last = locked.steps.filter(kind=StepKind.NOTIFY, stage=stage)
        highest = last.aggregate(n=models.Max("seq"))["n"]
        Step.objects.create(
            job=locked,
            stage=stage,
            item=message.item,
            kind=StepKind.NOTIFY,
            seq=0 if highest is None else highest + 1,
            lane=Lane.LIGHT,
            owner_id=locked.owner_id,
            weight=0.5,
            params={"message": number, "recipient": message.recipient},
        )
        type(job).objects.filter(pk=job.pk).update(settled_at=None)
        text = f"{actor} sends the e-mail to {message.recipient} again."
        locked.record(EventKind.LOG, actor=actor, text=text)
        locked.ring_lanes()
