"""One web process for the folder's tests; people and jobs are each test's own."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.intake.web import Person
from tests.live.drive import make_job, plan
from tests.live.mill import Mill, milling
from uploads.models import Job


@pytest.fixture(autouse=True)
def _own_databases(django_db_blocker: Any) -> Iterator[None]:
    """These tests use the servers' databases, never the test run's own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="session")
def shared_mill(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Mill]:
    folder = tmp_path_factory.mktemp("mill")
    with django_db_blocker.unblock(), milling(folder, TIDEMILL_LIVE_CHECK_SECONDS="0.4") as mill:
        yield mill


@pytest.fixture
def mill(shared_mill: Mill) -> Mill:
    return shared_mill


@pytest.fixture
def person(mill: Mill) -> Person:
    return mill.web.newcomer()


@pytest.fixture
def job(mill: Mill, person: Person) -> Job:
    """A planned job of four pictures, the only one there is."""
    mill.rows(Job.objects.all().delete)
    made = mill.rows(make_job, mill.owner(person))
    mill.rows(plan, made)
    return made
