"""A real worker killed in the middle of a real SMTP dialogue: nobody gets two letters."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.factories import make_job, make_upload, make_user
from tests.support.server import Server, free_port, wait_until
from uploads.models import Job
from uploads.states import JobState, StepKind
from uploads.work.presence import pid_of

pytestmark = pytest.mark.processes
WAIT = 120


class Slow:
    """An SMTP server that keeps the second letter in its hands until it is told to go on."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.letters: list[str] = []
        self.holds = threading.Event()
        self.goes_on = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        recipient = envelope.rcpt_tos[0]
        if recipient != "bo@example.org" or self.takes:
            self.letters.append(recipient)
        if recipient == "bo@example.org":
            self.holds.set()
            await asyncio.to_thread(self.goes_on.wait, WAIT)
        return "250 taken"


@pytest.fixture
def server(tmp_path: Path, django_db_blocker: Any) -> Iterator[Server]:
    port = free_port()
    values = {
        "TIDEMILL_EMAIL_URL": f"smtp://127.0.0.1:{port}?from=mill@example.org",
        "TIDEMILL_MAIL_BATCH": "1",
    }
    made = Server(tmp_path / "data", environment=values)
    made.start()
    with django_db_blocker.unblock():
        made.wait_ready()
        yield made
    made.end()


@pytest.mark.parametrize("takes", [True, False])
def test_a_killed_worker_leaves_one_unknown_and_nobody_gets_two(
    server: Server, tmp_path: Path, settings: Any, takes: bool
) -> None:
    settings.TIDEMILL_MAIL_BATCH, settings.TIDEMILL_EMAIL_URL = True, "smtp://nowhere"
    inbox = Slow(takes=takes)
    port = int(server.extra["TIDEMILL_EMAIL_URL"].partition("?")[0].rpartition(":")[2])
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        with server.rows():
            table = tmp_path / "people.csv"
            table.write_text("email\nann@example.org\nbo@example.org\ncy@example.org\n")
            owner = make_user("alice")
            upload = make_upload(owner, table, media_type="text/csv")
            letter = {"subject": "Hello", "text": "Hello", "per_minute": 6000}
            job = make_job(owner, [upload], "mail.batch", **letter)
            wait_until(inbox.holds.is_set, WAIT, "the second letter")
            os.kill(pid_of(job.steps.get(kind=StepKind.FINAL).lease_owner), signal.SIGKILL)
            inbox.goes_on.set()
            wait_until(lambda: _state(job) == JobState.SUCCEEDED, WAIT, lambda: _state(job))
            states = dict(job.messages.values_list("recipient", "state"))
    finally:
        inbox.goes_on.set()
        controller.stop()
    assert states == {
        "ann@example.org": "sent",
        "bo@example.org": "unknown",
        "cy@example.org": "sent",
    }
    both = ["ann@example.org", "bo@example.org", "cy@example.org"]
    assert inbox.letters == (both if takes else [both[0], both[2]])


def _state(job: Job) -> str:
    return str(Job.objects.get(pk=job.pk).state)
