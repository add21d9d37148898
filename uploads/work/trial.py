"""Trial: one written letter of a sample, sent to the person who looks at it and nobody else."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

from django.core import mail
from django.db import transaction
from django.db.models import Max, QuerySet

from uploads.errors import RequestError, StepError
from uploads.models import EventKind, Item, Job, Result, Step
from uploads.operations.registry import find
from uploads.states import OPEN_STEP_STATES, Lane, StepKind
from uploads.storage import store
from uploads.work.letters import composed, domain
from uploads.work.messages import is_on


def letters_of(job: Job) -> int:
    """Return how many letters a sample has written, 0 for any other job."""
    made = _written(job).first() if job.is_sample and job.is_finished else None
    return int(made.meta.get("letters", 0)) if made else 0


def last_trial(job: Job) -> Step | None:
    """Return the step of the newest trial of a job, if there was one."""
    return job.steps.filter(kind=StepKind.NOTIFY, params__has_key="letter").order_by("-id").first()


def send_trial(job: Job, recipient: str, number: int, actor: str) -> None:
    """Send letter `number` (from 1) of a sample to its owner's own address; as often as asked.

    One transaction. Raises `RequestError`: `mail_batch_off`, `bad_request`, `conflict`.
    """
    if not is_on():
        raise RequestError("mail_batch_off")
    if not recipient:
        raise RequestError("bad_request", reason="your account has no e-mail address.")
    with transaction.atomic():
        locked = job.locked()
        count = letters_of(locked)
        if not count:
            raise RequestError("conflict", reason="only a sample of letters can be tried.")
        if not 1 <= number <= count:
            raise RequestError("bad_request", reason=f"the letters go from 1 to {count}.")
        trials = locked.steps.filter(kind=StepKind.NOTIFY)
        if trials.filter(state__in=OPEN_STEP_STATES).exists():
            raise RequestError("conflict", reason="another trial is on its way.")
        _add(locked, _written(locked)[0], trials, {"letter": number, "recipient": recipient})
        text = f"{actor} tries letter {number} on {recipient}."
        locked.record(EventKind.LOG, actor=actor, text=text)
        locked.ring_lanes()


def _add(job: Job, made: Result, before: "QuerySet[Step]", params: dict[str, Any]) -> None:
    assert made.item_id is not None  # `_written` found it by its item
    item = Item.objects.select_related("stage").get(pk=made.item_id)
    highest = before.filter(stage=item.stage).aggregate(n=Max("seq"))["n"]
    Step.objects.create(
        job=job,
        stage=item.stage,
        item=item,
        kind=StepKind.NOTIFY,
        seq=0 if highest is None else highest + 1,
        lane=Lane.LIGHT,
        owner_id=job.owner_id,
        weight=0.5,
        params=params,
    )
    Job.objects.filter(pk=job.pk).update(settled_at=None)


def _written(job: Job) -> "QuerySet[Result]":
    sending = [s.pk for s in job.stages.all() if _sends(s.operation)]
    return job.results.filter(item__stage__in=sending, meta__has_key="letters").order_by("-id")


def _sends(operation: str) -> bool:
    try:
        return find(operation).sends
    except RequestError:
        return False


def trial_email(step: Step) -> mail.EmailMessage:
    """Return the letter that a trial's step asks for, marked as a trial; raises `StepError`."""
    made = _written(step.job).first()
    letter = _line(store.path(made.storage_key), int(step.params["letter"])) if made else None
    if letter is None:
        raise StepError("source_gone", name=step.job.name)
    letter["subject"] = f"[Trial] {letter.get('subject', '')}"
    options = {**step.stage.options, **(step.item.options if step.item else {})}
    number = f"<{step.job.key}.trial.{step.pk}@{domain()}>"
    return composed(letter, str(step.params["recipient"]), options, number)


def _line(path: Path, number: int) -> dict[str, Any] | None:
    try:
        with path.open(encoding="utf-8") as lines:
            line = next(islice(lines, number - 1, number), None)
    except FileNotFoundError:
        return None
    found: dict[str, Any] | None = json.loads(line) if line else None
    return found
