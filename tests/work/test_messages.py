"""E-mails from a table: at most once to anyone, whatever dies, and honest about what can't be known."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_upload
from tests.work.conftest import work_off
from uploads.conf import conf
from uploads.errors import RequestError, StepError
from uploads.models import EventKind, Job, Message, Step
from uploads.models.loads import Crew, times_left, works_of
from uploads.models.message import resend
from uploads.models.prediction import predict
from uploads.states import ItemState, JobState, Lane, StepKind, StepState
from uploads.work.commit import commit_failure
from uploads.work.recover import abandon
from uploads.work.run import claim_next, run_next
from uploads.work.submit import JobRequest, StageRequest, submit
from uploads.work.trial import send_trial

pytestmark = pytest.mark.django_db

TABLE = "name,email\nAnn,ann@example.org\nBo,bo@example.org\nNobody,nowhere\nCy,cy@example.org\nAnn2,ANN@example.org\n"
LETTER = {
    "subject": "Hello {name}",
    "text": "Dear {name}",
    "html": "<b>{name}</b>",
    "per_minute": 6000,
}


EVERYBODY = ["ann@example.org", "bo@example.org", "cy@example.org"]


class Mailbox:
    """A real SMTP server's inbox that may refuse."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, str]] = []
        self.answers: dict[str, str] = {}
        self.before: Callable[[str], None] = lambda recipient: None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        recipient = envelope.rcpt_tos[0]
        await asyncio.to_thread(self.before, recipient)
        answer = self.answers.get(recipient, "250 taken")
        if answer.startswith("250"):
            self.letters.append((recipient, bytes(envelope.content or b"").decode()))
        return answer

    @property
    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.letters]


@pytest.fixture
def mailbox(settings: Any, unused_tcp_port: int) -> Iterator[Mailbox]:
    inbox = Mailbox()
    server = Controller(inbox, hostname="127.0.0.1", port=unused_tcp_port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", unused_tcp_port
    settings.TIDEMILL_EMAIL_URL, settings.TIDEMILL_MAIL_BATCH = "smtp://127.0.0.1", True
    settings.TIDEMILL_MAIL_PER_MINUTE = 100_000
    yield inbox
    server.stop()


@pytest.fixture
def batch(alice: User, tmp_path: Path) -> Callable[..., Job]:
    def make(table: str = TABLE, *, sample: bool = False, **options: Any) -> Job:
        path = tmp_path / "people.csv"
        path.write_text(table)
        upload = make_upload(alice, path, media_type="text/csv")
        stage = StageRequest("mail.batch", {**LETTER, **options})
        return submit(alice, JobRequest([stage], [upload.key], sample=sample))

    return make


def states(job: Job) -> dict[str, str]:
    return dict(job.messages.values_list("recipient", "state"))


def written(job: Job) -> Step:
    """Run until the letters are written, and return the step that will send them."""
    while not job.steps.filter(kind=StepKind.FINAL).exists():
        assert run_next(Lane.LIGHT) or run_next(Lane.CPU)
    return job.steps.get(kind=StepKind.FINAL)


def test_everybody_gets_one_letter_with_their_own_values(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch()
    work_off()
    job.refresh_from_db()
    assert mailbox.recipients == ["ann@example.org", "bo@example.org", "cy@example.org"]
    assert "Subject: Hello Ann" in mailbox.letters[0][1]
    assert "Dear Ann" in mailbox.letters[0][1] and "<b>Ann</b>" in mailbox.letters[0][1]
    assert set(states(job).values()) == {"sent"}
    assert (job.state, job.items_done) == (JobState.SUCCEEDED, 1)
    (warning,) = job.items.get().warnings
    assert "2 rows get no letter" in warning and "“nowhere” is no e-mail address" in warning


def test_a_sample_makes_the_preview_and_sends_nothing(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch(sample=True)
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert (mailbox.letters, job.messages.count()) == ([], 0)
    assert job.results.filter(role="preview", meta__page=True).count() == 1


def test_a_refusal_is_said_and_the_others_get_theirs(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    mailbox.answers["bo@example.org"] = "550 no such user"
    job = batch()
    work_off()
    assert mailbox.recipients == ["ann@example.org", "cy@example.org"]
    refused = job.messages.get(state="refused")
    assert refused.recipient == "bo@example.org" and "no such user" in refused.reason


def test_a_server_that_wants_no_more_for_now_is_asked_again_later(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    mailbox.answers["bo@example.org"] = "421 too many"
    job = batch()
    work_off()
    final = job.steps.get(kind=StepKind.FINAL)
    assert final.state == StepState.READY and "too many" in final.error
    assert states(job)["bo@example.org"] == "waiting"
    mailbox.answers.clear()
    job.steps.update(not_before=job.created_at)
    work_off()
    assert mailbox.recipients == ["ann@example.org", "bo@example.org", "cy@example.org"]


def test_a_server_that_hangs_up_at_a_recipient_says_nothing_about_them(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    async def handle_RCPT(
        server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return "421 too many" if address.startswith("bo@") else "250 fine"

    vars(mailbox)["handle_RCPT"] = handle_RCPT
    job = batch()
    work_off()
    assert [states(job)[name] for name in EVERYBODY] == ["sent", "waiting", "waiting"]
    del vars(mailbox)["handle_RCPT"]
    job.steps.update(not_before=job.created_at)
    work_off()
    assert mailbox.recipients == EVERYBODY


def test_a_server_that_hangs_up_now_and_then_gets_every_letter(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    taken = mailbox.handle_DATA
    seen: set[Session] = set()

    async def one_a_connection(server: SMTP, session: Session, envelope: Envelope) -> str:
        if session in seen:
            return "421 one letter a connection"
        seen.add(session)
        return await taken(server, session, envelope)

    vars(mailbox)["handle_DATA"] = one_a_connection
    people = [f"p{number}@example.org" for number in range(conf.STEP_ATTEMPTS + 2)]
    job = batch("\n".join(["email", *people]), subject="Hello", text="Hello", html="")
    for _ in people:
        work_off()
        job.steps.update(not_before=job.created_at)
    assert mailbox.recipients == people
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert job.events.filter(kind=EventKind.STEP_RETRY).count() == len(people) - 1


def test_what_a_dead_worker_was_sending_is_unknown_and_the_rest_goes_on(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch()
    final = written(job)

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("uploads.models.Message.conclude", die)
        with pytest.raises(Killed):
            work_off()
    final.refresh_from_db()
    assert states(job)["ann@example.org"] == "sending"
    assert abandon(final)
    work_off()
    job.refresh_from_db()
    assert states(job) == {
        "ann@example.org": "unknown",
        "bo@example.org": "sent",
        "cy@example.org": "sent",
    }
    assert mailbox.recipients == ["ann@example.org", "bo@example.org", "cy@example.org"]
    assert job.state == JobState.SUCCEEDED


def test_only_a_person_sends_an_unknown_letter_again_and_only_once(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch()
    written(job)
    work_off()
    Message.objects.filter(recipient="bo@example.org").update(
        state="unknown", letter={"subject": "Hello", "text": "again", "html": ""}
    )
    number = job.messages.get(recipient="bo@example.org").pk
    resend(job, number, "alice")
    with pytest.raises(RequestError):
        resend(job, number, "alice")
    work_off()
    job.refresh_from_db()
    assert mailbox.recipients.count("bo@example.org") == 2
    assert states(job)["bo@example.org"] == "sent"
    assert job.settled_at is not None
    with pytest.raises(RequestError):
        resend(job, number, "alice")


def test_of_a_letter_sent_again_the_log_says_what_its_row_says(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    mailbox.answers["bo@example.org"] = "550 not now"
    job = batch()
    work_off()
    mailbox.answers.clear()
    resend(job, job.messages.get(state="refused").pk, "alice")

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("uploads.work.messages._end_again", die)
        with pytest.raises(Killed):
            work_off()
    assert abandon(job.steps.get(state=StepState.RUNNING))
    work_off()
    assert mailbox.recipients.count("bo@example.org") == 1
    told = job.events.filter(kind__in=[EventKind.MAIL_SENT, EventKind.MAIL_UNKNOWN])
    assert [event.kind for event in told] == [EventKind.MAIL_SENT]


@pytest.mark.parametrize("begun", [True, False])
def test_a_retry_takes_over_what_was_to_be_sent_alone(
    mailbox: Mailbox, batch: Callable[..., Job], begun: bool
) -> None:
    mailbox.answers = dict.fromkeys(EVERYBODY, "421 closed")
    job = batch()
    for _ in range(conf.STEP_ATTEMPTS):
        work_off()
        job.steps.update(not_before=job.created_at)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    resend(job, job.messages.order_by("pk")[0].pk, "alice")
    alone = claim_next(Lane.LIGHT) if begun else None
    job.retry("alice")
    if alone:
        alone.attempt = conf.STEP_ATTEMPTS
        commit_failure(alone, StepError("mail_server", reason="closed"))
    else:
        assert job.steps.get(kind=StepKind.NOTIFY).state == StepState.CANCELLED
    assert job.items.get().state == ItemState.OPEN
    mailbox.answers.clear()
    work_off()
    job.refresh_from_db()
    assert (mailbox.recipients, job.state) == (EVERYBODY, JobState.SUCCEEDED)


def test_a_cancelled_job_stops_between_two_letters_and_a_retry_sends_the_rest(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch()
    mailbox.before = lambda recipient: None
    written(job)
    with pytest.MonkeyPatch.context() as patched:
        told = Message.conclude

        def cancel_after(message: Message, *known: Any) -> None:
            told(message, *known)
            Job.objects.get(pk=job.pk).cancel("alice")

        patched.setattr("uploads.models.Message.conclude", cancel_after)
        work_off()
    job.refresh_from_db()
    assert (job.state, mailbox.recipients) == (JobState.CANCELLED, ["ann@example.org"])
    assert job.items.get().state == ItemState.CANCELLED
    job.retry("alice")
    work_off()
    assert mailbox.recipients == ["ann@example.org", "bo@example.org", "cy@example.org"]
    assert job.results.filter(role="result").count() == 1


def test_a_paused_job_stops_between_two_letters(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch()
    written(job)
    with pytest.MonkeyPatch.context() as patched:
        told = Message.conclude

        def pause_after(message: Message, *known: Any) -> None:
            told(message, *known)
            Job.objects.get(pk=job.pk).pause("alice")

        patched.setattr("uploads.models.Message.conclude", pause_after)
        work_off()
    assert mailbox.recipients == ["ann@example.org"]
    job.resume("alice")
    work_off()
    assert mailbox.recipients == ["ann@example.org", "bo@example.org", "cy@example.org"]


def test_a_slow_rate_puts_the_step_back_instead_of_holding_a_worker(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch(per_minute=1)
    work_off()
    final = job.steps.get(kind=StepKind.FINAL)
    assert (len(mailbox.letters), final.state, final.attempt) == (1, StepState.READY, 0)
    assert 50 < (final.not_before - job.messages.get(state="sent").sending_at).total_seconds() < 90


def test_of_letters_under_way_the_time_left_is_that_of_the_others(
    mailbox: Mailbox, batch: Callable[..., Job], settings: Any
) -> None:
    settings.TIDEMILL_MAIL_PER_MINUTE = 1
    job = batch()
    work_off()
    low, high = times_left(works_of([job]), {Lane.LIGHT: Crew(1)})[job.pk]
    assert 60 < low < 120 < high < 200  # two letters of three
    job.refresh_from_db()
    assert 0.3 < job.weight_done / job.weight_total < 0.4


def test_a_sample_foretells_how_long_all_letters_take(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch(sample=True, per_minute=1)
    work_off()
    told = predict(Job.objects.get(pk=job.pk))
    assert told and told.seconds and 180 <= told.seconds[0] <= told.seconds[1] < 200


@pytest.mark.parametrize("off", ["TIDEMILL_MAIL_BATCH", "TIDEMILL_EMAIL_URL"])
def test_it_is_refused_in_words_until_an_operator_lets_it(
    mailbox: Mailbox, settings: Any, batch: Callable[..., Job], off: str
) -> None:
    setattr(settings, off, False if off.endswith("BATCH") else "")
    with pytest.raises(RequestError, match="sends no e-mails from tables"):
        batch()


@pytest.mark.parametrize("missing", ["subject", "text"])
def test_no_empty_letter_is_sent(batch: Callable[..., Job], mailbox: Mailbox, missing: str) -> None:
    with pytest.raises(RequestError, match=missing):
        batch(**{missing: " "})


def test_a_placeholder_that_is_no_column_is_refused_with_the_columns(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch(text="Dear {nmae}")
    work_off()
    item = job.items.get()
    assert item.error_text == "“people.csv” has no column “nmae”; it has: name, email."


@pytest.mark.parametrize("before", ["", "email\n"])
def test_a_cell_that_never_ends_is_told_as_the_tables_fault(
    mailbox: Mailbox, batch: Callable[..., Job], before: str
) -> None:
    job = batch(before + "x" * 200_000 + "\n", subject="Hello", text="Hello", html="")
    work_off()
    item = job.items.get()
    assert (item.state, item.error_code) == (ItemState.FAILED, "mail_csv")


def tried(job: Job) -> Step:
    return job.steps.filter(params__has_key="letter").order_by("-id")[0]


def test_a_letter_of_a_sample_is_tried_on_its_owner_alone(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch(sample=True)
    work_off()
    for number in (2, 1):
        send_trial(job, "alice@example.org", number, "alice")
        work_off()
        assert tried(job).state == StepState.SUCCEEDED
    assert mailbox.recipients == ["alice@example.org", "alice@example.org"]
    assert "Subject: [Trial] Hello Bo" in mailbox.letters[0][1]
    assert "Subject: [Trial] Hello Ann" in mailbox.letters[1][1]
    assert "Dear Bo" in mailbox.letters[0][1] and "<b>Bo</b>" in mailbox.letters[0][1]
    job.refresh_from_db()
    assert job.settled_at is not None and not job.messages.exists()


@pytest.mark.parametrize("number", [0, 4])
def test_a_letter_that_there_is_not_is_refused(
    mailbox: Mailbox, batch: Callable[..., Job], number: int
) -> None:
    job = batch(sample=True)
    work_off()
    with pytest.raises(RequestError, match="from 1 to 3"):
        send_trial(job, "alice@example.org", number, "alice")


def test_only_a_sample_is_tried(mailbox: Mailbox, batch: Callable[..., Job]) -> None:
    job = batch()
    work_off()
    with pytest.raises(RequestError, match="only a sample"):
        send_trial(job, "alice@example.org", 1, "alice")


def test_a_trial_that_is_refused_says_why(mailbox: Mailbox, batch: Callable[..., Job]) -> None:
    mailbox.answers["alice@example.org"] = "550 not you"
    job = batch(sample=True)
    work_off()
    send_trial(job, "alice@example.org", 1, "alice")
    work_off()
    assert tried(job).state == StepState.FAILED
    assert "not you" in tried(job).error


def test_a_trial_cut_in_the_middle_is_not_repeated(
    mailbox: Mailbox, batch: Callable[..., Job]
) -> None:
    job = batch(sample=True)
    work_off()
    send_trial(job, "alice@example.org", 1, "alice")
    tried(job)
    Step.objects.filter(pk=tried(job).pk).update(checkpoint={"sending_at": "just before the kill"})
    work_off()
    assert mailbox.letters == []
    assert tried(job).state == StepState.FAILED and "not known" in tried(job).error


def test_page_and_api_offer_a_trial(
    mailbox: Mailbox, batch: Callable[..., Job], alice: User
) -> None:
    job = batch(sample=True)
    work_off()
    browser = Client()
    browser.force_login(alice)
    assert "Send me this letter" in browser.get(f"/jobs/{job.key}/").content.decode()
    browser.post(f"/jobs/{job.key}/trial/", {"letter": "3"})
    assert "is on its way" in browser.get(f"/jobs/{job.key}/").content.decode()
    work_off()
    assert "was sent to alice@example.org" in browser.get(f"/jobs/{job.key}/").content.decode()
    assert "Hello Cy" in mailbox.letters[0][1]
    address = f"/api/v1/jobs/{job.key}/trial/"
    for body, status in [({}, 200), ({"letter": "x"}, 400), ({"to": "bob@example.org"}, 400)]:
        answer = browser.post(address, json.dumps(body), content_type="application/json")
        assert answer.status_code == status, answer.content
