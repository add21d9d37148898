"""The database goes away under work, uploads and pages, and comes back: all jobs end, nothing doubled."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.crash import outages
from tests.crash.conftest import described, kept_up, wait_for, wait_running
from tests.crash.open_page import MUTE, OpenPage, session_of
from tests.factories import make_user
from tests.support import postgresql as private
from tests.support.server import Server, wait_until
from uploads.models import Event, Job, Step, Token, Upload
from uploads.storage import store

pytestmark = pytest.mark.processes

AWAY_SECONDS = 15
PAGE_AWAY_SECONDS = 6
PIECE = {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def own_postgresql() -> Iterator[private.PostgreSQL]:
    """A server of this module's own, for the others' must not go away; its commits take a while."""
    programs = private.find_programs()
    if programs is None:
        pytest.skip(private.MISSING)
    server = private.PostgreSQL(programs, fsync="on", commit_delay="60000", commit_siblings="0")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("own_postgresql").create("away")
    server = Server(
        tmp_path_factory.mktemp("away") / "data",
        url,
        environment={"TIDEMILL_DATABASE_SECONDS": "6" if url else "20"},
    )
    with kept_up(server):
        yield server


class Client(threading.Thread):
    """Uploads a file in small pieces and starts a job with it, trying again as real clients do."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__(daemon=True)
        self.http = httpx.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"},
            timeout=40,
        )
        self.data = os.urandom(8).hex().encode() + b"A line of text.\n" * 20_000
        self.statuses: set[int] = set()
        self.job = ""
        self.stop_at = time.monotonic() + 90

    def run(self) -> None:
        with self.http:
            size = {"Upload-Length": str(len(self.data)), "Upload-Metadata": "filename YS50eHQ="}
            location = self.ask("POST", "/files/", headers=size).headers["Location"]
            offset = 0
            while offset < len(self.data):
                piece = self.data[offset : offset + 4 * 1024]
                headers = {**PIECE, "Upload-Offset": str(offset)}
                self.ask("PATCH", location, headers=headers, content=piece)
                offset = int(self.ask("HEAD", location).headers["Upload-Offset"])
                time.sleep(0.1)
            body = {"operation": "test.copy", "uploads": [location.rpartition("/")[2]]}
            made = self.ask(
                "POST", "/api/v1/jobs/", json=body, headers={"Idempotency-Key": location}
            )
            self.job = made.json()["id"]

    def ask(self, method: str, path: str, **values: object) -> httpx.Response:
        while time.monotonic() < self.stop_at:
            answer = self.http.request(method, path, **values)  # type: ignore[arg-type]
            self.statuses.add(answer.status_code)
            if answer.status_code < 500:
                return answer
            assert answer.headers["Retry-After"]
            time.sleep(0.5)
        raise AssertionError(f"{method} {path} was never answered")


def token_of(name: str) -> str:
    owner = User.objects.filter(username=name).first() or make_user(name)
    return Token.issue(owner, "tests")[1]


def live_through(
    running: Server,
    submit: Callable[..., Job],
    outage: AbstractContextManager[None],
    seconds: float,
) -> Client:
    """Let the database go away in the middle of everything; return the client, whose upload is whole."""
    up = running.role("up")
    client = Client(running.address, token_of("alice"))
    client.start()
    jobs = [submit(6, pause=0.8)]
    wait_running(jobs[0])
    with outage:
        until = time.monotonic() + seconds
        check_answers(running, client.http.headers["Authorization"])
        time.sleep(max(0, until - time.monotonic()))
    connection.close()  # this process's own was cut as well
    jobs.append(submit(2))
    for job in jobs:
        wait_for(job, 60)
    assert not Step.objects.filter(job__in=jobs, crashes__gt=0).exists()  # all that ran went on
    client.join(90)
    wait_until(lambda: client.job, 1, lambda: f"the client's job; it saw {client.statuses}")
    made = Job.objects.get(key=client.job)
    wait_for(made, 60)
    upload = Upload.objects.get(inputs__job=made)
    assert store.path(upload.storage_key).read_bytes() == client.data
    assert Job.objects.filter(inputs__upload=upload).count() == 1
    assert running.role("up") == up
    assert client.statuses <= {200, 201, 204, 409, 423, 503}
    return client


def check_answers(running: Server, bearer: str) -> None:
    """See that whatever is asked is answered, in words when it can't be served."""
    for path in ("/jobs/", "/api/v1/jobs/", "/healthz"):
        headers = {"Authorization": bearer, "Accept": "text/html"}
        answer = httpx.get(running.address + path, headers=headers, timeout=40)
        assert answer.status_code in {200, 503}, (path, answer.status_code)
        if answer.status_code == 503:
            assert "does not answer" in answer.text
            assert path == "/healthz" or answer.headers["Retry-After"]


def test_the_write_lock_of_sqlite_is_held_by_somebody_else(
    running: Server, submit: Callable[..., Job]
) -> None:
    if running.database_url:
        pytest.skip("PostgreSQL has no lock of the whole database")
    path: Path = running.data / "db.sqlite3"
    live_through(running, submit, outages.locked(path), AWAY_SECONDS)


@pytest.mark.parametrize(
    ("how", "seconds"),
    [("stopped", AWAY_SECONDS), pytest.param("shut", 5, marks=pytest.mark.soak)],
)
def test_postgresql_goes_away(
    how: str,
    seconds: float,
    running: Server,
    submit: Callable[..., Job],
    request: pytest.FixtureRequest,
) -> None:
    if not running.database_url:
        pytest.skip("SQLite has no server that could go away")
    server = request.getfixturevalue("own_postgresql")
    outage = {"stopped": outages.stopped, "shut": outages.shut}[how](server)
    assert 503 in live_through(running, submit, outage, seconds).statuses


def test_postgresql_dies_inside_commits(
    running: Server, submit: Callable[..., Job], request: pytest.FixtureRequest
) -> None:
    if not running.database_url:
        pytest.skip("SQLite commits within the worker itself")
    server = request.getfixturevalue("own_postgresql")
    killer = outages.CommitKiller(server, times=4, pause=1.5)
    jobs = [submit(5, pause=0.3), submit(5, pause=0.3)]
    wait_running(jobs[0])
    killer.start()
    try:
        wait_until(lambda: killer.killed >= 3, 60, lambda: f"{killer.killed} deaths in a COMMIT")
    finally:
        killer.over.set()
        killer.join()
    server.wait()
    connection.close()  # this process's own was cut as well
    for job in jobs:
        wait_for(job, 90)


@pytest.mark.parametrize("how", ["locked", "stopped", "shut"])
def test_an_open_page_hears_everything_once_and_to_the_end(
    how: str, running: Server, submit: Callable[..., Job], request: pytest.FixtureRequest
) -> None:
    if bool(running.database_url) == (how == "locked"):
        pytest.skip("this kind of database does not go away so")
    job = submit(6, pause=0.8)
    session = session_of(running, job.owner)
    wait_running(job)
    first, *late = [OpenPage(running, session, job) for _ in range(6)]
    first.start()
    wait_until(lambda: first.seqs, 10, "the first page's first message")
    heard = first.have
    with away(how, running, request):
        until = time.monotonic() + PAGE_AWAY_SECONDS
        for page in late:  # opened while nobody may be able to say whose job it is
            page.start()
        time.sleep(max(0, until - time.monotonic()))
    connection.close()  # this process's own was cut as well
    wait_for(job, 60)
    expected = list(Event.objects.filter(job=job).order_by("seq").values_list("seq", flat=True))
    last = Job.objects.get(pk=job.pk).seq
    assert heard < last
    for page in (first, *late):
        wait_until(lambda page=page: page.have >= last, 20, lambda: described(job))
        page.close()
        assert page.seqs == expected, page.codes
    codes = {code for page in (first, *late) for code in page.codes}
    if how == "locked":  # SQLite is still read
        assert codes == set()
    else:
        assert 4503 in codes <= {4503, MUTE}, codes


def away(how: str, running: Server, request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    if how == "locked":
        return outages.locked(running.data / "db.sqlite3")
    return {"stopped": outages.stopped, "shut": outages.shut}[how](
        request.getfixturevalue("own_postgresql")
    )
