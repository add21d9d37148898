"""The socket of a job: right at once, complete after any break, only for its owner."""

import contextlib
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.intake.web import Person, wait_for
from tests.live.drive import claim, finish, make_job, move, plan, say, say_lines
from tests.live.mill import Mill, milling
from tests.live.talk import call
from uploads.models import Job, Step


def test_first_message_comes_at_once_and_equals_the_state_url(
    mill: Mill, person: Person, job: Job
) -> None:
    with call(mill, person, job, after=1) as talk, mill.client(person) as client:
        heard = talk.hear()
        told = client.get(f"/jobs/{job.key}/state", params={"after": 1}).json()
    assert heard == told
    assert heard["prev"] == 1
    assert [event[0] for event in heard["ev"]] == list(range(2, heard["seq"] + 1))


def test_a_change_arrives_within_a_moment_and_names_its_numbers(
    mill: Mill, person: Person, job: Job
) -> None:
    with call(mill, person, job, after=99) as talk:
        before = talk.hear()["seq"]
        start = time.monotonic()
        mill.rows(finish, mill.rows(claim, job))
        state = talk.until(lambda state: state["items"]["done"] == 1)
        assert time.monotonic() - start < 3
    assert state["shown"]["percent"] == 25
    assert talk.seqs[0] == before + 1


def test_progress_without_an_event_is_told_too(mill: Mill, person: Person, job: Job) -> None:
    step = mill.rows(claim, job)
    with call(mill, person, job) as talk:
        mill.rows(move, step, 0.5, "IMG_2000.jpg")
        state = talk.until(lambda state: state["progress"] > 0)
        assert state["steps"]["running"][0]["note"] == "IMG_2000.jpg"
        mill.rows(Step.renew, step.lease, 0.75, "nobody rings for this")
        talk.until(lambda state: state["steps"]["running"][0]["progress"] == 0.75)


def test_every_event_comes_once_and_in_order_at_200_a_second(
    mill: Mill, person: Person, job: Job
) -> None:
    with call(mill, person, job) as talk:
        talk.hear()
        pace = {"each_second": 200}
        writer = Thread(target=mill.rows, args=(say_lines, job, 600), kwargs=pace)
        writer.start()
        while "line 599" not in talk.texts:
            talk.hear()
        writer.join()
    assert [t for t in talk.texts if t.startswith("line")] == [f"line {n}" for n in range(600)]
    assert talk.seqs == sorted(set(talk.seqs))


def test_a_reader_that_comes_again_gets_exactly_what_it_missed(
    mill: Mill, person: Person, job: Job
) -> None:
    with call(mill, person, job) as talk:
        talk.hear()
    for number in range(20):
        mill.rows(say, job, f"missed {number}")
    with call(mill, person, job, after=talk.have) as again:
        again.hear()
    assert again.texts == [f"missed {n}" for n in range(20)]
    assert again.seqs[0] == talk.have + 1


def test_a_reader_far_behind_is_told_to_load_anew(mill: Mill, person: Person, job: Job) -> None:
    mill.rows(Job.objects.filter(pk=job.pk).update, seq=2000)
    with call(mill, person, job, after=10) as talk:
        heard = talk.hear()
    assert (heard["t"], heard["seq"], heard["ev"]) == ("snap", 2000, [])


def test_a_reader_that_does_not_acknowledge_is_held_and_then_catches_up(
    mill: Mill, person: Person, job: Job
) -> None:
    with call(mill, person, job) as talk:
        for number in range(40):
            mill.rows(say, job, f"line {number}")
            with contextlib.suppress(TimeoutError):
                talk.hear(0.13, ack=False)
        with contextlib.suppress(TimeoutError):
            while True:
                talk.hear(0.6, ack=False)
        assert "line 39" not in talk.texts
        talk.ack()
        while "line 39" not in talk.texts:
            talk.hear()
    assert [t for t in talk.texts if t.startswith("line")] == [f"line {n}" for n in range(40)]


@pytest.mark.parametrize("whose", ["somebody else's", "nobody's"])
def test_a_foreign_job_and_none_at_all_are_refused_alike(
    mill: Mill, person: Person, job: Job, whose: str
) -> None:
    stranger = mill.web.newcomer()
    key = job.key if whose == "somebody else's" else "0" * 24
    with call(mill, stranger, key) as talk:
        assert talk.closed() == (4404, {"t": "bye", "why": "not_found", "retry_ms": None})


def test_nobody_is_told_to_sign_in(mill: Mill, job: Job) -> None:
    with call(mill, None, job) as talk:
        assert talk.closed()[0] == 4401


def test_a_script_listens_with_its_token(mill: Mill, person: Person, job: Job) -> None:
    token = f"Bearer {person.token}"
    with call(mill, None, job, Authorization=token, Origin="") as talk:
        assert talk.hear()["state"]["id"] == job.key


def _log_out(mill: Mill, person: Person) -> None:
    mill.rows(SessionStore(person.session).delete)


def _deactivate(mill: Mill, person: Person) -> None:
    mill.rows(User.objects.filter(pk=mill.owner(person).pk).update, is_active=False)


def _change_password(mill: Mill, person: Person) -> None:
    mill.rows(User.objects.filter(pk=mill.owner(person).pk).update, password="other")


@pytest.mark.parametrize("revoke", [_log_out, _deactivate, _change_password])
def test_an_open_socket_ends_soon_after_its_right(
    mill: Mill, person: Person, job: Job, revoke: Any
) -> None:
    with call(mill, person, job) as talk:
        talk.hear()
        revoke(mill, person)
        assert talk.closed() == (4401, {"t": "bye", "why": "not_signed_in", "retry_ms": None})


def test_a_deleted_job_says_so(mill: Mill, person: Person, job: Job) -> None:
    with call(mill, person, job) as talk:
        talk.hear()
        mill.rows(job.remove, "ana")
        assert talk.closed()[0] == 4404


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1", ""]
)
def test_another_origin_is_refused_before_the_handshake_ends(
    mill: Mill, person: Person, job: Job, origin: str
) -> None:
    address = origin.format(port=mill.web.port)
    with pytest.raises(InvalidStatus) as refused, call(mill, person, job, Origin=address):
        pass
    assert refused.value.response.status_code == 403


def test_another_door_is_refused(mill: Mill, person: Person) -> None:
    with pytest.raises(InvalidStatus), call(mill, person, "x/../../admin"):
        pass


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("junk", 4400),
        ('{"ack": -1}', 4400),
        ('{"ack": true}', 4400),
        ("[1]", 4400),
        ('{"ack": 99999999}', 4400),
        ('{"ack": ' + "1" * 70_000 + "}", 4413),
    ],
)
def test_what_is_no_acknowledgement_ends_the_socket(
    mill: Mill, person: Person, job: Job, text: str, code: int
) -> None:
    with call(mill, person, job) as talk:
        talk.hear()
        talk.socket.send(text)
        assert talk.closed()[0] == code


def test_too_many_messages_end_the_socket(mill: Mill, person: Person, job: Job) -> None:
    with call(mill, person, job) as talk:
        talk.hear()
        with contextlib.suppress(ConnectionClosed):
            for _ in range(100):
                talk.ack()
        assert talk.closed()[0] == 4429


def test_one_person_has_a_limited_number_of_sockets(mill: Mill, person: Person, job: Job) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(call(mill, person, job)).hear()
        with call(mill, person, job) as one_more:
            assert one_more.closed()[0] == 4429


def test_nothing_listens_while_no_socket_is_open(mill: Mill, person: Person, job: Job) -> None:
    run_folder = Path(mill.web.environment["TIDEMILL_RUN_DIR"])
    with call(mill, person, job) as talk:
        talk.hear()
        wait_for(lambda: list(run_folder.glob("job-*.sock")))
    wait_for(lambda: not list(run_folder.glob("job-*.sock")))


def test_a_killed_web_process_loses_nothing(tmp_path: Path) -> None:
    with milling(tmp_path) as mill:
        person = mill.web.newcomer()
        job = mill.rows(make_job, mill.owner(person))
        mill.rows(plan, job)
        with call(mill, person, job) as talk:
            talk.hear()
            mill.web.kill()
            mill.rows(finish, mill.rows(claim, job))
            mill.rows(say, job, "while nobody served")
        mill.web.start()
        with call(mill, person, job, after=talk.have) as again:
            again.hear()
    assert again.seqs[0] == talk.have + 1
    assert again.texts[-1] == "while nobody served"
    assert again.state["items"]["done"] == 1
