"""A whole server for a module, on each database, and jobs whose files take a known time."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.conftest import DATABASES
from tests.factories import make_job, make_upload, make_user
from tests.support.server import Server, wait_until
from uploads.models import Job, Result, Step
from uploads.states import StepState

ROLES = ("worker", "pusher", "monitor", "sentinel", "main", "web", "sweep")


@pytest.fixture(autouse=True)
def _own_databases(django_db_blocker: Any) -> Iterator[None]:
    """Let the tests use the servers' databases; the run's own is never touched."""
    with django_db_blocker.unblock():
        yield


@contextmanager
def kept_up(server: Server) -> Iterator[None]:
    """Run a server until the block ends; what it said is shown when the last test failed."""
    try:
        server.start()
        server.wait_ready()
        yield
        sys.stdout.write(server.output())
    finally:
        server.end()


@pytest.fixture(scope="module", params=DATABASES)
def running(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    """Return a whole server that a module's tests kill and heal in turn."""
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").create(f"crash{os.getpid()}")
    server = Server(tmp_path_factory.mktemp("crash") / "data", url)
    with kept_up(server):
        yield server


@pytest.fixture
def submit(running: Server, tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Submit so many text files, each one step that lasts `pause` seconds."""

    def make(files: int = 4, pause: float = 0.0) -> Job:
        owner = User.objects.filter(username="alice").first() or make_user("alice")
        uploads = []
        for number in range(files):
            path = tmp_path / f"{number}.txt"
            path.write_text(f"file {number}")
            uploads.append(make_upload(owner, path, media_type="text/plain"))
        return make_job(owner, uploads, "test.copy", pause=pause)

    with running.rows():
        yield make


def ended(job: Job) -> bool:
    return Job.objects.get(pk=job.pk).is_finished


def described(job: Job) -> str:
    fields = ("kind", "state", "attempt", "crashes", "not_before", "lease_owner", "error")
    return "\n".join(str(row) for row in Step.objects.filter(job=job).values_list(*fields))


def wait_for(job: Job, seconds: float = 30) -> None:
    """Wait for the job's end, then see that each file was done exactly once."""
    wait_until(lambda: ended(job), seconds, lambda: f"end of the job: {described(job)}")
    job.refresh_from_db()
    files = job.items.count()
    assert (job.state, job.items_done) == ("succeeded", files)
    assert Result.objects.filter(job=job, role="result").count() == files
    unfinished = [StepState.READY, StepState.RUNNING, StepState.PENDING]
    assert not Step.objects.filter(job=job, state__in=unfinished).exists()


def wait_running(job: Job, seconds: float = 15) -> Step:
    """Wait until a work step of the job runs; return it."""
    running = Step.objects.filter(job=job, kind="work", state=StepState.RUNNING)
    wait_until(running.exists, seconds, "a running step")
    return running[0]


def is_whole(server: Server, without: int = 0) -> bool:
    """Tell whether every role of the tree is there once, nothing besides, nor one process."""
    try:
        roles = {server.role(role) for role in ("up", *ROLES)}
    except (LookupError, ValueError, StopIteration):
        return False  # seen in the middle of a change
    if without in {process.pid for process in server.processes()}:
        return False
    return len(roles) == 8 and len(server.workers()) == 4 and len(server.processes()) == 15
