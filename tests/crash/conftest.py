"""A job on a real server: text files that a test operation copies slowly."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories import make_job, make_upload, make_user
from tests.support.server import Server
from uploads.models import Job, Result, Step

SubmitJob = Callable[..., Job]


@pytest.fixture(autouse=True)
def _own_databases(django_db_blocker: "pytest.FixtureRequest") -> object:
    """These tests use the servers' databases, never the test run's own."""
    with django_db_blocker.unblock():
        yield


def submit(
    server: Server, folder: Path, files: int, pause: float = 0.0, name: str = "alice"
) -> Job:
    """Submit `files` text files, each a step of `pause` seconds; inside `server.rows()`."""
    from django.contrib.auth.models import User

    owner = User.objects.filter(username=name).first() or make_user(name)
    uploads = []
    for number in range(files):
        path = folder / f"{name}-{number}.txt"
        path.write_text(f"{name} {number}")
        uploads.append(make_upload(owner, path, media_type="text/plain"))
    return make_job(owner, uploads, "test.copy", pause=pause)


def assert_exactly_once(job: Job, files: int) -> None:
    """Every file has one result, every step ended once, nothing is left running."""
    job.refresh_from_db()
    assert (job.state, job.items_done) == ("succeeded", files)
    assert Result.objects.filter(job=job, role="result").count() == files
    assert not Step.objects.filter(job=job, state__in=["ready", "running", "pending"]).exists()
