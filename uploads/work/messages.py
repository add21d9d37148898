"""Messages: the e-mails of a batch, sent one after another, at most once to anyone.

`sending` is committed before the SMTP dialogue and what the server said after it.
Killed in between, the next run finds the mark: then nobody knows whether that
e-mail went out, it becomes `unknown`, and only a person sends it again. A run
sends for some seconds and puts itself back, so that pauses, other jobs and the
end of a worker have their turn.
"""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from uploads.conf import conf
from uploads.errors import Cancelled, LeaseLost, RequestError, StepError
from uploads.models import EventKind, Item, Job, Message, MessageState, Step
from uploads.models.message import seconds_each
from uploads.operations.registry import find
from uploads.states import ItemState, StepState
from uploads.storage import store
from uploads.work.carried import ends_with_its_items
from uploads.work.commit import begin, keep_checkpoint
from uploads.work.lease import Grip
from uploads.work.letters import Server, email_of

TURN_SECONDS = 20.0
LONGEST_WAIT_SECONDS = 3.0
BUSY_SECONDS = 5.0  # after which a server that took some e-mails is asked again
NAP_SECONDS = 0.1
ROWS = 500

Marked = tuple[Message, datetime]


def check_sending(operations: Sequence[str], options: Sequence[dict[str, Any]]) -> None:
    """Refuse a request that sends where nothing is sent, in a chain, or without a letter."""
    sending = [place for place, name in enumerate(operations) if find(name).sends]
    if not sending:
        return
    if not is_on():
        raise RequestError("mail_batch_off")
    if len(operations) > 1:
        raise RequestError("bad_request", reason="an operation that sends e-mails stands alone.")
    if not str(options[0].get("subject", "")).strip():
        raise RequestError("bad_request", reason="the e-mails need a subject.")
    if not str(options[0].get("text", "")).strip():
        raise RequestError("bad_request", reason="the e-mails need a text.")


def is_on() -> bool:
    """Tell whether an operator lets people send e-mails from tables."""
    return conf.MAIL_BATCH and bool(conf.EMAIL_URL)


# --- one run of the step --------------------------------------------------------------


def send(step: Step, grip: Grip) -> None:
    """Send the waiting messages of one item for a while; then end the step or put it back."""
    if not is_on():
        raise StepError("mail_batch_off")
    grip.insist(lambda: _load(step))
    step.checkpoint = {"loaded": True}
    rows = Message.objects.filter(item=step.item_id)
    waiting = rows.filter(state=MessageState.WAITING)
    total = rows.count()
    left = first = max(1, waiting.count())
    server = Server(grip)
    until = time.monotonic() + TURN_SECONDS
    try:
        while True:
            left = waiting.count()
            grip.progress(1 - left / first, f"{total - left} of {total} e-mails")
            grip.tick()
            if _is_held(step) or time.monotonic() > until:
                grip.insist(partial(_put_back, step, 0, 1 - left / first))
                return
            if left:
                server.ready()
            found = grip.insist(lambda: _next(step))
            if found is None:
                return
            if not isinstance(found, float):
                _deliver(server, found, step, grip)
            elif found > LONGEST_WAIT_SECONDS:
                grip.insist(partial(_put_back, step, found, 1 - left / first))
                return
            else:
                time.sleep(min(found, NAP_SECONDS))
    except StepError as error:
        if left >= first:
            raise
        grip.insist(partial(_put_back, step, BUSY_SECONDS, 1 - left / first, error))
    finally:
        server.close()


def _deliver(server: Server, found: Marked, step: Step, grip: Grip) -> None:
    message, mark = found
    options = {**step.stage.options, **(step.item.options if step.item else {})}
    state, reason = server.hand_over(email_of(message, options))
    grip.insist(lambda: message.conclude(mark, state, reason))
    if state == MessageState.WAITING:
        raise StepError("mail_server", reason=reason)


def _is_held(step: Step) -> bool:
    paused = Job.objects.filter(pk=step.job_id).exclude(paused_at=None).exists()
    return paused or not Step.objects.filter(pk=step.pk).unheld(step.lane).exists()


def _load(step: Step) -> None:
    """Make the rows once, and call unknown what an earlier run left in the middle."""
    with transaction.atomic():
        begin(step)
        if not Step.held(step.lease).update(checkpoint={"loaded": True}):
            raise LeaseLost
        rows = Message.objects.filter(item=step.item_id)
        rows.filter(state=MessageState.SENDING).update(
            state=MessageState.UNKNOWN, finished_at=timezone.now()
        )
        if step.checkpoint is None:
            # Written anew with what the letter says now; who was sent one keeps that row.
            rows.filter(state=MessageState.WAITING).delete()
            made = _made(step)
            while piece := list(islice(made, ROWS)):
                Message.objects.bulk_create(piece, ignore_conflicts=True)


def _made(step: Step) -> Iterator[Message]:
    results = step.job.results.filter(item=step.item_id, meta__has_key="letters")
    result = results.order_by("-id").first()
    if result is None or result.item is None or not store.path(result.storage_key).exists():
        raise StepError("source_gone", name=step.item.name if step.item else "")
    path = store.path(result.storage_key)
    with path.open(encoding="utf-8") as lines:
        for position, line in enumerate(lines):
            letter = json.loads(line)
            recipient = letter.pop("to")
            yield Message(
                job_id=step.job_id,
                item=result.item,
                position=position,
                recipient=recipient,
                address_key=recipient.casefold(),
                letter=letter,
            )


def _next(step: Step) -> Marked | float | None:
    """Mark the next message; or return the seconds until it is due, or end the step: None."""
    with transaction.atomic():
        job = begin(step)
        if job.cancel_requested_at:
            raise Cancelled
        if not Step.held(step.lease).update(note=F("note")):
            raise LeaseLost
        waiting = Message.objects.filter(item=step.item_id, state=MessageState.WAITING)
        message = waiting.order_by("pk").first()
        if message is None:
            _end(step)
            return None
        if (seconds := _seconds_until_due(step)) > 0:
            return seconds
        message.job = job
        mark = message.mark_sending()
        return (message, mark) if mark else 0.0


def _seconds_until_due(step: Step) -> float:
    gap = seconds_each(step.stage.options)
    last = Message.objects.filter(job=step.job_id).aggregate(at=Max("sending_at"))["at"]
    if last is None:
        return 0.0
    passed: float = (timezone.now() - last).total_seconds()
    return min(gap, gap - passed)  # a clock may have been set back


def _end(step: Step) -> None:
    job = begin(step, step.weight)
    if not Step.succeed(step.lease):
        raise LeaseLost
    item = Item.objects.get(part_steps=step)
    counts = Message.objects.filter(item=item).counts()
    warnings = list(item.warnings)
    if bad := counts.get("refused"):
        warnings.append(f"{bad} of the e-mails were refused.")
    if unknown := counts.get("unknown"):
        warnings.append(f"Of {unknown} e-mails it is not known whether they were sent.")
    job.end_item(item, ItemState.SUCCEEDED, warnings=warnings)
    said = ", ".join(f"{n} {state}" for state, n in counts.items())
    job.record(EventKind.LOG, text=f"{item.name}: e-mails {said or 'none'}.")
    job.end_if_done()


def _put_back(step: Step, seconds: float, done: float, error: StepError | None = None) -> None:
    """Let others have their turn; `done` of its work is counted, and no attempt. One transaction.

    An `error` after some e-mails is none of the tries in a row that a step has.
    """
    with transaction.atomic():
        job = begin(step)
        if ends_with_its_items(step):
            return
        keep_checkpoint(step)
        if done > 0:
            weight = done * step.weight
            Step.held(step.lease).update(weight=F("weight") - weight, attempt=1)
            Job.objects.filter(pk=job.pk).update(weight_done=F("weight_done") + weight)
        told = str(error) if error else ""
        if not Step.postpone(step.lease, seconds=seconds, error=told, count_attempt=False):
            raise LeaseLost
        if error:
            facts: dict[str, Any] = {
                "label": step.label,
                "seconds": round(seconds),
                "step": step.pk,
            }
            job.record(EventKind.STEP_RETRY, text=error.text, **facts)
        else:
            job.touch()
        job.end_if_done()
        job.ring_lanes()


# --- one message again ----------------------------------------------------------------


def send_again(step: Step, grip: Grip) -> None:
    """Send the one message that a person asked for once more."""
    number = int(step.params["message"])
    server = Server(grip)
    try:
        if Message.objects.filter(pk=number, state=MessageState.WAITING).exists():
            server.ready()
        found = grip.insist(lambda: _take(step, number))
        if found:
            _deliver(server, found, step, grip)
    finally:
        server.close()
    grip.insist(lambda: _end_again(step, number))


def _take(step: Step, number: int) -> Marked | None:
    with transaction.atomic():
        job = begin(step)
        if not Step.held(step.lease).update(note=F("note")):
            raise LeaseLost
        message = Message.objects.get(pk=number)
        message.job = job
        if (mark := message.mark_sending()) is not None:
            return message, mark
        Message.objects.filter(pk=number, state=MessageState.SENDING).update(
            state=MessageState.UNKNOWN, finished_at=timezone.now()
        )
        return None


def _end_again(step: Step, number: int) -> None:
    with transaction.atomic():
        job = begin(step)
        message = Message.objects.get(pk=number)
        if not Step.end(step.lease, StepState.SUCCEEDED):
            raise LeaseLost
        told = {
            MessageState.SENT: EventKind.MAIL_SENT,
            MessageState.UNKNOWN: EventKind.MAIL_UNKNOWN,
        }.get(MessageState(message.state), EventKind.WARNING)
        text = f"The e-mail to {message.recipient} was refused: {message.reason}"
        job.record(told, recipient=message.recipient, text=text)
        job.settle()
