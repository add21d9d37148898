"""E-mail at the end: at most once, and honest about what can't be known."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.contrib.auth.models import User
from django.db import connection

from tests.work.conftest import work_off
from uploads.errors import RequestError
from uploads.models import Job, Step, Upload
from uploads.states import JobState, Lane, StepKind, StepState
from uploads.work import recover
from uploads.work.clock import Watch
from uploads.work.run import run_next
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db


class Mailbox:
    """A real SMTP server's inbox that may refuse."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.answer = "250 taken"
        self.pause = 0.0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.pause)
        if self.answer.startswith("250"):
            self.letters.append(bytes(envelope.content or b"").decode())
        return self.answer


@pytest.fixture
def mailbox(settings: Any, unused_tcp_port: int) -> Iterator[Mailbox]:
    inbox = Mailbox()
    server = Controller(inbox, hostname="127.0.0.1", port=unused_tcp_port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", unused_tcp_port
    yield inbox
    server.stop()


@pytest.fixture
def notified_job(settings: Any, alice: User, text_upload: Callable[..., Upload]) -> Job:
    settings.TIDEMILL_EMAIL_URL = "smtp://127.0.0.1"
    request = JobRequest(
        [StageRequest("test.copy")], [text_upload("one").key], notify="alice@example.org"
    )
    return submit(alice, request)


def test_one_letter_is_sent_when_the_job_has_ended(mailbox: Mailbox, notified_job: Job) -> None:
    work_off()
    notified_job.refresh_from_db()
    assert notified_job.state == JobState.SUCCEEDED
    assert notified_job.settled_at is not None
    assert len(mailbox.letters) == 1
    assert notified_job.key in mailbox.letters[0]
    assert notified_job.events.filter(kind="mail_sent").count() == 1


def test_the_place_of_an_e_mail_whose_neighbour_is_gone_is_not_taken_twice(
    mailbox: Mailbox, settings: Any, alice: User, text_upload: Callable[..., Upload]
) -> None:
    settings.TIDEMILL_EMAIL_URL = "smtp://127.0.0.1"
    request = JobRequest([StageRequest("test.copy")], [text_upload("bad").key], notify=alice.email)
    job = submit(alice, request)
    work_off()
    sent = job.steps.get(kind=StepKind.NOTIFY)
    sent.pk, sent.seq = None, sent.seq + 2  # one between was removed by a retry
    sent.save()
    job.refresh_from_db()
    job.retry("alice")
    work_off()
    job.refresh_from_db()
    assert job.settled_at is not None
    assert len(mailbox.letters) == 2


def test_a_worker_that_died_while_sending_leaves_unknown_and_nothing_is_sent_again(
    mailbox: Mailbox, notified_job: Job
) -> None:
    while notified_job.items.filter(state="open").exists():
        work_off_until_notify()
    step = notified_job.steps.get(kind=StepKind.NOTIFY)
    Step.objects.filter(pk=step.pk).update(checkpoint={"sending_at": "then"})
    work_off()
    step.refresh_from_db()
    notified_job.refresh_from_db()
    assert step.state == StepState.FAILED
    assert mailbox.letters == []
    assert notified_job.events.filter(kind="mail_unknown").count() == 1
    assert notified_job.settled_at is not None


def work_off_until_notify() -> None:
    run_next(Lane.LIGHT)
    run_next(Lane.CPU)


def test_a_refusal_is_final_and_said(mailbox: Mailbox, notified_job: Job) -> None:
    mailbox.answer = "550 no such user"
    work_off()
    step = notified_job.steps.get(kind=StepKind.NOTIFY)
    assert step.state == StepState.FAILED
    assert "no such user" in step.error


def test_a_server_that_is_away_is_asked_again_later(
    settings: Any, unused_tcp_port: int, notified_job: Job
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", unused_tcp_port
    work_off()
    step = notified_job.steps.get(kind=StepKind.NOTIFY)
    assert (step.state, step.checkpoint) == (StepState.READY, None)


@pytest.mark.django_db(transaction=True)
def test_a_slow_mail_server_costs_nobody_their_lease(
    mailbox: Mailbox, notified_job: Job, settings: Any
) -> None:
    settings.TIDEMILL_LEASE_SECONDS, settings.TIDEMILL_RENEW_SECONDS = 1.0, 0.3
    mailbox.pause = 3.0

    taken: list[int] = []
    over = threading.Event()

    def sweep() -> None:
        watch: Watch[recover.Watched] = Watch()
        while not over.wait(0.1):
            taken.append(recover.recover_silent_workers(watch))
        connection.close()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    work_off()
    over.set()
    sweeper.join()
    assert len(taken) > 20
    assert sum(taken) == 0
    (step,) = notified_job.steps.filter(kind=StepKind.NOTIFY)
    assert (step.state, step.crashes, len(mailbox.letters)) == (StepState.SUCCEEDED, 0, 1)


def test_only_a_person_sends_an_unknown_letter_again(mailbox: Mailbox, notified_job: Job) -> None:
    while notified_job.items.filter(state="open").exists():
        work_off_until_notify()
    Step.objects.filter(job=notified_job, kind=StepKind.NOTIFY).update(
        checkpoint={"sending_at": "then"}
    )
    work_off()
    notified_job.tell_again("alice")
    work_off()
    notified_job.refresh_from_db()
    assert len(mailbox.letters) == 1
    assert notified_job.settled_at is not None
    with pytest.raises(RequestError):
        notified_job.tell_again("alice")
