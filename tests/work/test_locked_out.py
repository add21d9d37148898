"""A lock that keeps everybody from writing makes nobody suspicious."""

from collections.abc import Callable

import pytest
from django.db import connection

from tests.support.locks import writing
from uploads.conf import conf
from uploads.models import Job, Step
from uploads.states import Lane
from uploads.work import recover
from uploads.work.clock import Watch

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_could_not_renew_is_not_silent(job_of: Callable[..., Job]) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL has no lock of the whole database")
    job_of("one")
    assert Step.objects.claim(Lane.LIGHT, "elsewhere:00000000:5:5") is not None
    now = [0.0]
    watch: Watch[recover.Watched] = Watch(now=lambda: now[0])
    assert recover.recover_silent_workers(watch) == 0
    now[0] = conf.LEASE_SECONDS + 1
    with writing(60):
        assert recover.recover_silent_workers(watch) == 0
    assert recover.recover_silent_workers(watch) == 0
    now[0] = 2 * conf.LEASE_SECONDS + 2
    assert recover.recover_silent_workers(watch) == 1
