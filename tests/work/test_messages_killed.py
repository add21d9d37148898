"""A real worker in a slow SMTP dialogue: killed, stopped, kept long; nobody gets two letters."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.utils import timezone

from tests.factories import make_job, make_upload, make_user
from tests.support.server import Server, free_port, wait_until
from uploads.models import Job, Step
from uploads.states import JobState, StepKind
from uploads.work.presence import pid_of

pytestmark = pytest.mark.processes
WAIT = 120


class Slow:
    """An SMTP server that keeps the second letter in its hands until it is told to go on."""

    def __init__(self) -> None:
        self.takes = True
        self.letters: list[str] = []
        self.holds = threading.Event()
        self.goes_on = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        recipient = envelope.rcpt_tos[0]
        try:
            if recipient == "bo@example.org":
                self.holds.set()
                await asyncio.to_thread(self.goes_on.wait, WAIT)
        finally:  # also when the other side is dead: nobody hears the answer
            if recipient != "bo@example.org" or self.takes:
                self.letters.append(recipient)
        return "250 taken"


LEASE_SECONDS = 3.0
EVERYBODY = ["ann@example.org", "bo@example.org", "cy@example.org"]


@pytest.fixture
def server(tmp_path: Path, django_db_blocker: Any) -> Iterator[Server]:
    port = free_port()
    values = {
        "TIDEMILL_EMAIL_URL": f"smtp://127.0.0.1:{port}?from=mill@example.org",
        "TIDEMILL_MAIL_BATCH": "1",
        "TIDEMILL_MAIL_PER_MINUTE": "100000",
        "TIDEMILL_LEASE_SECONDS": str(LEASE_SECONDS),
        "TIDEMILL_RENEW_SECONDS": "1",
    }
    made = Server(tmp_path / "data", environment=values)
    made.start()
    with django_db_blocker.unblock():
        made.wait_ready()
        with made.rows():
            yield made
    made.end()


@pytest.fixture
def inbox(server: Server) -> Iterator[Slow]:
    made = Slow()
    port = int(server.extra["TIDEMILL_EMAIL_URL"].partition("?")[0].rpartition(":")[2])
    controller = Controller(made, hostname="127.0.0.1", port=port)
    controller.start()
    yield made
    made.goes_on.set()
    controller.stop()


@pytest.fixture
def batch(server: Server, tmp_path: Path, settings: Any) -> Callable[[list[str]], Job]:
    """Start a job of a letter to each of these."""
    settings.TIDEMILL_MAIL_BATCH, settings.TIDEMILL_EMAIL_URL = True, "smtp://nowhere"

    def start(recipients: list[str]) -> Job:
        table = tmp_path / "people.csv"
        table.write_text("\n".join(["email", *recipients, ""]))
        owner = make_user("alice")
        upload = make_upload(owner, table, media_type="text/csv")
        letter = {"subject": "Hello", "text": "Hello", "per_minute": 6000}
        return make_job(owner, [upload], "mail.batch", **letter)

    return start


@pytest.fixture
def job(batch: Callable[[list[str]], Job], inbox: Slow) -> Job:
    """Return a job of three letters, the second of which is in its server's hands."""
    made = batch(EVERYBODY)
    wait_until(inbox.holds.is_set, WAIT, "the second letter")
    return made


def sending(job: Job) -> Step:
    return job.steps.get(kind=StepKind.FINAL)


def sender(job: Job) -> int:
    """Return the process that sends; between its turns the step is nobody's."""
    owners = [""]

    def owned() -> str:
        owners[0] = sending(job).lease_owner
        return owners[0]

    wait_until(owned, WAIT, "a sender")
    return pid_of(owners[0])


def states(job: Job) -> dict[str, str]:
    """Return what became of each letter, once the job has ended well."""
    wait_until(lambda: _state(job) == JobState.SUCCEEDED, WAIT, lambda: _state(job))
    return dict(job.messages.values_list("recipient", "state"))


@pytest.mark.parametrize("takes", [True, False])
def test_a_killed_worker_leaves_one_unknown_and_nobody_gets_two(
    job: Job, inbox: Slow, takes: bool
) -> None:
    inbox.takes = takes
    os.kill(pid_of(sending(job).lease_owner), signal.SIGKILL)
    inbox.goes_on.set()
    sent = dict.fromkeys(EVERYBODY, "sent")
    assert states(job) == {**sent, "bo@example.org": "unknown"}
    expected = EVERYBODY if takes else [EVERYBODY[0], EVERYBODY[2]]
    assert inbox.letters == expected


def test_a_stopped_worker_finishes_the_letter_in_hand_and_another_goes_on(
    job: Job, inbox: Slow
) -> None:
    worker = pid_of(sending(job).lease_owner)
    os.kill(worker, signal.SIGTERM)
    inbox.goes_on.set()
    assert states(job) == dict.fromkeys(EVERYBODY, "sent")
    assert inbox.letters == EVERYBODY
    step = sending(job)
    assert (step.attempt, step.crashes) == (1, 0)
    assert pid_of(step.lease_owner) != worker


def test_a_dialogue_longer_than_the_lease_keeps_it(job: Job, inbox: Slow) -> None:
    mark = sending(job).lease_token
    until = timezone.now() + timedelta(seconds=3 * LEASE_SECONDS)
    wait_until(lambda: (sending(job).lease_until or until) > until, WAIT, "a renewed lease")
    inbox.goes_on.set()
    assert states(job) == dict.fromkeys(EVERYBODY, "sent")
    assert inbox.letters == EVERYBODY
    assert sending(job).lease_token == mark


@pytest.mark.parametrize("letters", [150, pytest.param(5000, marks=pytest.mark.soak)])
def test_of_many_letters_under_kills_nobody_gets_two_and_each_is_known_or_unknown(
    batch: Callable[[list[str]], Job], inbox: Slow, letters: int
) -> None:
    everybody = [f"person{number}@example.org" for number in range(letters)]
    job = batch(everybody)
    for share in (0.25, 0.75):
        many = round(share * letters)
        wait_until(lambda many=many: len(inbox.letters) >= many, 10 * WAIT, f"{many} letters")  # type: ignore[misc]
        os.kill(sender(job), signal.SIGKILL)
    wait_until(lambda: _state(job) == JobState.SUCCEEDED, 10 * WAIT, lambda: _state(job))
    told = dict(job.messages.values_list("recipient", "state"))
    assert sorted(told) == sorted(everybody)
    unknown = {recipient for recipient, state in told.items() if state == "unknown"}
    assert set(told.values()) <= {"sent", "unknown"} and len(unknown) <= 2
    assert len(inbox.letters) == len(set(inbox.letters))
    assert set(everybody) - unknown <= set(inbox.letters)


def _state(job: Job) -> str:
    return str(Job.objects.get(pk=job.pk).state)
