"""The time left of jobs, from rows: what is summed, for whom nothing is told, what it costs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.factories import make_user, running_job, worker
from uploads.forecast import START_SECONDS, Busy
from uploads.models import Job, Step
from uploads.models.glance import glance
from uploads.models.loads import works_of
from uploads.states import JobState, Lane, StepKind, StepState

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


def left(job: Job) -> dict[str, int] | None:
    seen: dict[str, int] | None = glance([job])[0]["eta_seconds"]
    return seen


def test_the_sums_are_those_of_the_rows(alice: User, tmp_path: Path):
    job = running_job(alice, tmp_path)
    load = works_of([job])[job.pk].load
    sums = (load.ended, load.ended_weight, load.ready, load.ready_weight)
    assert sums == pytest.approx((2, 4.0 + 2 * START_SECONDS, 8, 16.0 + 8 * START_SECONDS))
    assert load.ended_seconds == pytest.approx(8.0, abs=0.01)
    assert load.ended_squares == pytest.approx(2 * 16.0 / (2.0 + START_SECONDS), abs=0.05)
    [busy] = load.running
    assert busy == replace(
        Busy.told(2.0, 0.5), seconds=busy.seconds, silent_seconds=busy.silent_seconds
    )
    assert busy.done == pytest.approx(1.0 + START_SECONDS)
    assert busy.seconds == pytest.approx(2.0, abs=0.01)
    assert 1.0 <= busy.silent_seconds < 60
    assert load.unplanned == 0


def test_a_running_job_is_told_a_range_that_holds_its_arithmetic(alice: User, tmp_path: Path):
    worker()
    told = left(running_job(alice, tmp_path))
    assert told is not None
    # Eight steps of 4 s, and half a step of which one second has passed unheard.
    assert told["low"] <= 33 <= told["high"]


def test_more_workers_are_sooner_done(alice: User, tmp_path: Path):
    worker(1)
    job = running_job(alice, tmp_path)
    one = left(job)
    for number in range(2, 5):
        worker(number)
    four = left(job)
    assert one is not None
    assert four is not None
    assert four["high"] < one["high"] / 2


def test_another_job_makes_it_later(alice: User, tmp_path: Path):
    worker(1)
    worker(2)
    job = running_job(alice, tmp_path)
    alone = left(job)
    running_job(make_user("bob"), tmp_path)
    beside = left(job)
    assert alone is not None
    assert beside is not None
    assert beside["high"] > alone["high"] * 1.5


def test_without_a_worker_nothing_is_promised(alice: User, tmp_path: Path):
    worker(lane=Lane.LIGHT)
    job = running_job(alice, tmp_path)
    job.steps.filter(state=StepState.RUNNING).update(state=StepState.READY)
    assert left(job) is None
    worker(2)
    assert left(job) is not None


@pytest.mark.parametrize("wish", ["pause", "cancel"])
def test_a_wish_to_stop_ends_the_promise(alice: User, tmp_path: Path, wish: str):
    worker()
    job = running_job(alice, tmp_path)
    getattr(job, wish)("alice")
    job.refresh_from_db()
    assert left(job) is None


def test_nothing_is_told_before_the_plan_and_after_the_end(alice: User, tmp_path: Path):
    worker()
    job = running_job(alice, tmp_path)
    job.steps.filter(kind=StepKind.PLAN).update(state=StepState.READY)
    assert left(job) is None
    job.steps.filter(kind=StepKind.PLAN).update(state=StepState.SUCCEEDED)
    assert left(job) is not None
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now(), state=JobState.SUCCEEDED)
    job.refresh_from_db()
    assert left(job) is None


def test_many_jobs_cost_no_more_queries_than_some(
    alice: User, tmp_path: Path, django_assert_max_num_queries: Callable[..., Any]
):
    worker()
    jobs = [running_job(alice, tmp_path, ready=2) for _ in range(12)]
    Step.objects.filter(job__in=jobs[6:], state=StepState.RUNNING).update(state=StepState.READY)
    Step.objects.filter(job__in=jobs[9:]).delete()
    with django_assert_max_num_queries(8):
        seen = glance(jobs)
    assert sum(state["eta_seconds"] is not None for state in seen) >= 6
