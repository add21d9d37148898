"""Limits of lanes: never more steps at once than an operator has set, from the moment it is set."""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.factories import make_user, running_job, worker
from tests.models.test_claim import claim, claimed, end, queued
from uploads import bell
from uploads.errors import RequestError
from uploads.models import LaneLimit, Step, holding
from uploads.models.glance import glance
from uploads.models.lane_limit import read_limit
from uploads.models.line import Line
from uploads.states import Lane, StepState

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return make_user("alice")


def running() -> int:
    return Step.objects.filter(state=StepState.RUNNING).count()


# --- the claim ------------------------------------------------------------------


def test_a_full_lane_is_served_again_when_a_step_has_ended(alice: User) -> None:
    queued(alice, count=5)
    holding.limit("cpu", 2, "root")
    first, _second = claimed(), claimed()
    assert claim() is None
    assert not Step.objects.claimable(Lane.CPU).exists()
    end(first)
    assert Step.objects.claimable(Lane.CPU).exists()
    assert claimed()
    assert claim() is None


def test_lowered_lets_running_steps_end_and_raised_starts_more(alice: User) -> None:
    queued(alice, count=9)
    steps = [claimed() for _ in range(3)]
    holding.limit("cpu", 1, "root")
    for step in steps:
        assert claim() is None
        end(step)
    assert claimed()
    assert claim() is None
    holding.limit("cpu", 2, "root")
    assert claimed()
    assert claim() is None
    holding.limit("cpu", None, "root")
    assert [bool(claim()) for _ in range(2)] == [True, True]


def test_a_limit_counts_all_hosts_and_its_own_lane_alone(alice: User) -> None:
    queued(alice, count=3)
    light = queued(alice)
    light.steps.update(lane=Lane.LIGHT)
    holding.limit("cpu", 1, "root")
    assert claimed(host="there:boot:")
    assert claim() is None
    assert Step.objects.claim(Lane.LIGHT, "here:boot:1:2")
    holding.limit("light", 1, "root")
    assert not Step.objects.claimable(Lane.LIGHT).exists()


@pytest.mark.django_db(transaction=True)
def test_claims_at_once_never_exceed_the_limit(alice: User) -> None:
    queued(alice, count=100)
    holding.limit("cpu", 2, "root")
    most: list[int] = []

    def work() -> None:
        try:
            for _ in range(10):
                if step := claim():
                    most.append(running())
                    end(step)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(most) >= 10
    assert max(most) == 2


# --- the verb -------------------------------------------------------------------


def test_twice_is_as_once_and_the_jobs_pages_change(alice: User) -> None:
    mine, other = queued(alice), queued(alice)
    other.steps.update(lane=Lane.LIGHT)
    assert [holding.limit("cpu", 2, "root"), holding.limit("cpu", 2, "eve")] == [True, False]
    assert LaneLimit.objects.get().set_by == "root"
    assert holding.limit("cpu", 3, "eve")
    assert (LaneLimit.objects.get().max_inflight, LaneLimit.objects.get().set_by) == (3, "eve")
    assert [holding.limit("cpu", None, "eve"), holding.limit("cpu", None, "eve")] == [True, False]
    before = (mine.seq, other.seq)
    for job in (mine, other):
        job.refresh_from_db()
    assert (mine.seq, other.seq) == (before[0] + 3, before[1])


@pytest.mark.django_db(transaction=True)
def test_a_change_wakes_the_lane(alice: User) -> None:
    listener = bell.Listener(bell.WORK)
    try:
        holding.limit("cpu", 2, "root")
        assert "cpu" in listener.wait(5)
    finally:
        listener.close()


@pytest.mark.parametrize("most", [0, -1, 1001, True, "2", 1.5])
def test_what_is_no_limit_is_refused(most: Any) -> None:
    with pytest.raises(RequestError) as refused:
        holding.limit("cpu", most, "root")
    assert "a whole number from 1 to 1000" in refused.value.text
    with pytest.raises(RequestError) as refused:
        holding.limit("gpu", 1, "root")
    assert "there is no lane “gpu”" in refused.value.text
    assert not LaneLimit.objects.exists()


@pytest.mark.parametrize(("typed", "most"), [("2", 2), (" 12 ", 12), ("", None), ("1000", 1000)])
def test_a_typed_limit_is_read(typed: str, most: int | None) -> None:
    assert read_limit(typed) == most


@pytest.mark.parametrize("typed", ["0", "-1", "2.0", "1e3", "two", "٢", "9" * 30, "1_0"])
def test_typed_nonsense_is_refused(typed: str) -> None:
    with pytest.raises(RequestError):
        read_limit(typed)


# --- what it means for time -------------------------------------------------------


def test_fewer_at_once_take_longer(alice: User, tmp_path: Path) -> None:
    for number in range(4):
        worker(number + 1)
    job = running_job(alice, tmp_path, ready=40)

    def most_seconds() -> int:
        return int(glance([job])[0]["eta_seconds"]["high"])

    at_once = most_seconds()
    holding.limit("cpu", 1, "root")
    assert most_seconds() > 2 * at_once


def test_a_start_is_foreseen_for_when_the_surplus_has_ended(alice: User) -> None:
    for number in range(3):
        worker(number + 1)
    first, second = queued(alice, count=3), queued(alice)
    for seconds in (5, 50, 20):
        step = claimed()
        Step.objects.filter(pk=step.pk).update(weight=seconds)
        assert step.job_id in {first.pk, second.pk}
    waiting = Step.objects.get(state=StepState.READY)
    holding.limit("cpu", 2, "root")
    place = Line().place("cpu", waiting.job_id)
    assert place is not None
    assert place.seconds == 20
