"""A house with a user, a file, a job, and staff of every kind."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.admin.people import visit
from tests.factories import make_job, make_upload
from tests.pages.api import make_person
from uploads.admin.throughput import minutes
from uploads.models import Job, Upload
from uploads.models.staff import OPERATORS, WATCHERS


@pytest.fixture(autouse=True)
def _fresh_minutes() -> None:
    """Count the chart's minutes anew: each test has rows of its own."""
    minutes.forget()


@pytest.fixture
def alice() -> User:
    return make_person("alice")


@pytest.fixture
def photo(alice: User, tmp_path: Path) -> Upload:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"photo")
    return make_upload(alice, path)


@pytest.fixture
def job(alice: User, photo: Upload) -> Job:
    return make_job(alice, [photo], "image.convert")


@pytest.fixture
def watcher() -> Client:
    return visit(WATCHERS)


@pytest.fixture
def operator() -> Client:
    return visit(OPERATORS)


@pytest.fixture
def boss() -> Client:
    return visit("boss", is_superuser=True)
