"""The claim: fair between people, exact about limits, never more than a host has room for."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from tests.factories import make_user
from uploads.models import Job, Stage, Step
from uploads.models.claiming import Budget
from uploads.states import JobState, Lane, StepKind, StepState

pytestmark = pytest.mark.django_db

GIB = 1024**3
HERE = "here:boot:"


def queued(owner: User, *memory: int, count: int = 1, disk: int = 0, **values: Any) -> Job:
    """Return a job with ready steps that need so many GiB each; `count` of nothing without any."""
    values = {"name": "a job", "state": JobState.QUEUED, "items_total": 1, **values}
    job = Job.objects.create(owner=owner, **values)
    stage = Stage.objects.create(job=job, operation="image.convert", version=1)
    needs = memory or (0,) * count
    Step.objects.bulk_create(
        Step(
            job=job,
            stage=stage,
            kind=StepKind.WORK,
            seq=seq,
            lane=Lane.CPU,
            owner=owner,
            needs_memory_bytes=need * GIB,
            needs_disk_bytes=disk,
        )
        for seq, need in enumerate(needs)
    )
    return job


def claim(memory: int = 10, disk: int = 2**40, host: str = HERE) -> Step | None:
    room = Budget(host, memory * GIB, disk)
    return Step.objects.claim(Lane.CPU, f"{host}1:2", room)


def claimed(**room: Any) -> Step:
    step = claim(**room)
    assert step is not None
    return step


def end(step: Step) -> None:
    Step.objects.filter(pk=step.pk).update(state=StepState.SUCCEEDED)


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def bob() -> User:
    return make_user("bob")


# --- fairness ---------------------------------------------------------------


def test_one_image_does_not_wait_behind_ten_thousand(alice: User, bob: User) -> None:
    queued(alice, count=10_000)
    running = [claimed(), claimed()]
    mine = queued(bob)
    served = []
    for step in running:  # two steps' time: each worker ends one and claims the next
        end(step)
        served.append(claimed().job_id)
    assert mine.pk in served


def test_a_job_of_higher_priority_takes_the_next_claims(alice: User, bob: User) -> None:
    queued(alice, count=10)
    claimed()
    urgent = queued(bob, count=3, priority=10)
    assert [claimed().job_id for _ in range(4)].count(urgent.pk) == 3
    assert not urgent.steps.filter(state=StepState.READY).exists()


def test_jobs_of_one_person_take_turns(alice: User) -> None:
    first, second = queued(alice, count=3), queued(alice, count=3)
    order = [claimed().job_id for _ in range(4)]
    assert order == [first.pk, second.pk, first.pk, second.pk]


def test_a_job_has_no_more_steps_at_once_than_it_may(alice: User) -> None:
    job = queued(alice, count=5, max_inflight=2)
    running = [claimed(), claimed()]
    assert claim() is None
    end(running[0])
    assert claimed().job_id == job.pk
    assert claim() is None


def test_a_person_has_no_more_steps_at_once_than_they_may(
    alice: User, bob: User, settings: Any
) -> None:
    settings.TIDEMILL_OWNER_MAX_INFLIGHT = 2
    queued(alice, count=2), queued(alice, count=2)
    other = queued(bob)
    owners = [claimed().owner_id for _ in range(3)]
    assert sorted(owners) == sorted([alice.pk, alice.pk, bob.pk])
    assert claim() is None
    assert other.steps.get().state == StepState.RUNNING


# --- room ---------------------------------------------------------------------


def test_two_big_steps_never_share_a_host_and_small_ones_run_beside(alice: User, bob: User) -> None:
    queued(alice, 6, 6)
    queued(bob, 1, 1)
    first = claimed()
    assert first.needs_memory_bytes == 6 * GIB
    assert [claimed().needs_memory_bytes for _ in range(2)] == [GIB, GIB]
    assert claim() is None
    end(first)
    assert claimed().needs_memory_bytes == 6 * GIB


def test_the_memory_of_another_host_is_its_own(alice: User) -> None:
    queued(alice, 6, 6)
    claimed()
    assert claim() is None
    assert claimed(host="there:boot:").needs_memory_bytes == 6 * GIB


def test_small_steps_that_pass_leave_room_for_the_first_in_line(alice: User, bob: User) -> None:
    queued(alice, 8, 8)
    running = claimed()
    small = queued(bob, *[1] * 50)
    passed = 0
    while (step := claim()) is not None:
        assert step.job_id == small.pk
        passed += 1
    assert passed == 2
    end(running)
    assert claimed().needs_memory_bytes == 8 * GIB


def test_a_big_step_starts_however_many_small_ones_come(alice: User, bob: User) -> None:
    queued(alice, *[1] * 100, priority=1)
    running = [claimed() for _ in range(10)]
    Job.objects.update(priority=0)
    big = queued(bob, 8)
    served = 0
    while not big.steps.filter(state=StepState.RUNNING).exists():
        end(running.pop(0))
        while (step := claim()) is not None:
            running.append(step)
        served += 1
        assert served <= 10, "the big step starves"


def test_a_step_too_large_for_this_host_is_left_to_others(alice: User, bob: User) -> None:
    queued(alice, 20, priority=10)
    small = queued(bob, 1)
    assert claimed().job_id == small.pk
    assert claim() is None
    assert claimed(memory=30).needs_memory_bytes == 20 * GIB


def test_below_the_reserve_only_what_writes_nothing_is_taken(alice: User, bob: User) -> None:
    writing = queued(alice, disk=GIB)
    harmless = queued(bob)
    assert claimed(disk=0).job_id == harmless.pk
    assert claim(disk=0) is None
    assert claimed(disk=GIB).job_id == writing.pk


def test_running_steps_keep_the_disk_that_they_will_write(alice: User) -> None:
    queued(alice, 0, 0, disk=GIB)
    claimed(disk=GIB)
    assert claim(disk=GIB) is None
    assert claimed(disk=2 * GIB)


# --- the lease ----------------------------------------------------------------


def test_a_claim_writes_a_whole_lease(alice: User) -> None:
    job = queued(alice)
    step = claimed()
    row = Step.objects.get(pk=step.pk)
    assert (row.state, row.attempt, row.lease_owner) == ("running", 1, f"{HERE}1:2")
    assert row.lease_token == step.lease_token != ""
    assert row.lease_until is not None
    assert row.deadline_at is not None
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    assert job.started_at == job.last_claimed_at == row.started_at


def test_what_is_not_due_is_not_taken(alice: User) -> None:
    queued(alice)
    Step.objects.update(not_before=timezone.now() + timedelta(minutes=1))
    assert claim() is None


def _in_threads(count: int, function: Callable[[], None]) -> None:
    def run() -> None:
        try:
            function()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_never_exceed_their_host(alice: User) -> None:
    queued(alice, *[6] * 8)
    for _ in range(3):
        _in_threads(4, lambda: (claim(), None)[1])
        running = list(Step.objects.filter(state=StepState.RUNNING))
        assert len(running) == 1
        end(running[0])


@pytest.mark.django_db(transaction=True)
def test_a_claim_syncs_nothing_and_leaves_the_connection_as_it_was(alice: User) -> None:
    queued(alice)
    names = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}
    with connection.cursor() as cursor:
        cursor.execute(names[connection.vendor])
        before = cursor.fetchone()
        assert claim() is not None
        cursor.execute(names[connection.vendor])
        assert cursor.fetchone() == before
    with transaction.atomic():
        assert Step.objects.filter(state=StepState.RUNNING).exists()


def test_a_claimed_step_comes_with_its_own_job_and_stage() -> None:
    """Their numbers differ: a job without a stage and one with two came before."""
    owner = make_user("alice")
    Job.objects.create(owner=owner, name="without a stage", state=JobState.SUCCEEDED)
    job = queued(owner)
    second = Stage.objects.create(job=job, operation="file.inspect", position=1)
    Step.objects.filter(job=job).update(stage=second)
    step = claimed()
    assert (step.job, step.stage) == (job, second)
    assert (step.job.pk, step.stage.pk, step.stage.operation) == (
        step.job_id,
        step.stage_id,
        "file.inspect",
    )
    assert (step.job.name, step.job.state) == ("a job", JobState.RUNNING)
