"""E-mail when a job has ended: at most once, and honest when it can't be known.

`sending` is written down before the SMTP dialogue and the step ends after it.
Killed in between, the step finds its own mark when it runs again: then nobody
knows whether the e-mail went out, the page says so, and only a person resends.
"""

import smtplib

from django.core import mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from uploads.conf import conf
from uploads.errors import LeaseLost, StepError
from uploads.models import EventKind, Job, Step
from uploads.states import StepKind, StepState
from uploads.work import messages
from uploads.work.lease import Grip
from uploads.work.trial import trial_email


def send(step: Step, grip: Grip) -> None:
    """Run one step that sends e-mail: the one at the end, those of a batch, one of these again, a trial."""
    if step.kind == StepKind.FINAL:
        messages.send(step, grip)
        return
    if "message" in step.params:
        messages.send_again(step, grip)
        return
    recipient = str(step.params.get("recipient", ""))
    if step.checkpoint is not None:
        grip.insist(lambda: _end_unknown(step, recipient))
        return
    connection = mail.get_connection()
    try:
        with grip.kept():
            connection.open()
    except OSError as error:  # nothing was sent; worth another try
        raise StepError("mail_failed", recipient=recipient, reason=str(error)) from error
    try:
        message = trial_email(step) if "letter" in step.params else _message(step.job, recipient)
        message.connection = connection
        grip.insist(lambda: _mark(step))
        try:
            with grip.kept():
                message.send()
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            reason = str(error)
            grip.insist(lambda: _end(step, StepState.FAILED, recipient, reason))
        except OSError:  # cut in the middle of the dialogue
            grip.insist(lambda: _end_unknown(step, recipient))
        else:
            grip.insist(lambda: _end(step, StepState.SUCCEEDED, recipient))
    finally:
        connection.close()


def _message(job: Job, recipient: str) -> mail.EmailMessage:
    public = conf.PUBLIC_URL or f"http://{conf.HOST}:{conf.PORT}"
    facts = {"job": job, "address": f"{public.rstrip('/')}/jobs/{job.key}/"}
    subject = render_to_string("mail/ended_subject.txt", facts).strip().replace("\n", " ")
    return mail.EmailMessage(subject, render_to_string("mail/ended.txt", facts), to=[recipient])


def _mark(step: Step) -> None:
    marked = Step.held(step.lease).update(checkpoint={"sending_at": timezone.now().isoformat()})
    if not marked:
        raise LeaseLost


def _end(step: Step, state: StepState, recipient: str, reason: str = "") -> None:
    with transaction.atomic():
        job = Job.objects.locked(step.job_id)
        error = StepError("mail_failed", recipient=recipient, reason=reason)
        if not Step.end(step.lease, state, str(error) if reason else ""):
            raise LeaseLost
        if reason:
            job.record(EventKind.STEP_FAILED, label=step.label, step=step.pk, text=error.text)
        else:
            job.record(EventKind.MAIL_SENT, recipient=recipient)
        job.settle()


def _end_unknown(step: Step, recipient: str) -> None:
    with transaction.atomic():
        job = Job.objects.locked(step.job_id)
        error = StepError("mail_unknown", recipient=recipient)
        if not Step.end(step.lease, StepState.FAILED, str(error)):
            raise LeaseLost
        job.record(EventKind.MAIL_UNKNOWN, recipient=recipient)
        job.settle()
