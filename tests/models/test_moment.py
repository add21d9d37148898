"""Reads of one moment: they see no half of a commit, and nobody waits for them."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.factories import make_user
from uploads.models import Job
from uploads.models.moment import one_moment

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(act: Callable[[], Any]) -> None:
    """Do something in another connection, to its end."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "it waits for the reader"


@pytest.fixture
def job() -> Job:
    owner: User = make_user("alice")
    return Job.objects.create(owner=owner, name="before", items_total=1)


def test_what_is_committed_meanwhile_is_seen_afterwards(job: Job) -> None:
    jobs = Job.objects.filter(pk=job.pk)
    with one_moment():
        assert jobs.get().name == "before"
        elsewhere(lambda: jobs.update(name="after"))
        assert jobs.get().name == "before"
    assert jobs.get().name == "after"


def test_the_next_transaction_writes_as_ever(job: Job) -> None:
    connection.close()
    with one_moment():
        Job.objects.get(pk=job.pk)
    job.pause("alice")
    assert Job.objects.get(pk=job.pk).is_paused
