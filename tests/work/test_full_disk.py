"""Steps on hold for the disk: when they are put back, what is counted, when they go on."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.work.conftest import work_off
from uploads.errors import StepError
from uploads.models import Job, Step
from uploads.models.snapshot import snapshot
from uploads.states import JobState, Lane, StepState
from uploads.storage import room, store
from uploads.work.budget import here
from uploads.work.commit import commit_failure
from uploads.work.full_disk import LEAST_BYTES, RoomSweep, commit_hold, resume_held
from uploads.work.presence import me
from uploads.work.run import run_next

pytestmark = pytest.mark.django_db

JobOf = Callable[..., Job]


@pytest.fixture(autouse=True)
def _no_reserve(settings: Any) -> Any:
    settings.TIDEMILL_DISK_RESERVE_BYTES = 0
    yield
    settings.TIDEMILL_DISK_RESERVE_BYTES = 0
    room.is_short()  # this process forgets what the test let it see


def held() -> Step:
    return Step.objects.get(state=StepState.READY, waiting_code="disk_full")


@pytest.mark.parametrize("text", ["full", "damaged by a full disk"])
def test_a_step_that_met_a_full_disk_waits_and_no_try_is_counted(text: str, job_of: JobOf) -> None:
    job = job_of("one", text)
    work_off()
    step = held()
    assert (step.attempt, step.crashes, step.error) == (0, 0, "")
    assert not job.items.exclude(error_code="").exists()
    assert snapshot(job)["waiting"]["reason"] == "disk_full"
    assert "no room" in job.events.get(kind="step_held").text


def test_it_is_tried_again_only_with_more_room_than_before(job_of: JobOf) -> None:
    job_of("full")
    work_off()
    wanted = held().needs_disk_bytes
    assert resume_held() == 1
    work_off()
    assert held().needs_disk_bytes >= wanted + LEAST_BYTES


def test_what_is_let_go_on_together_runs_only_as_far_as_it_fits(job_of: JobOf) -> None:
    for _ in range(3):
        job_of("full")
    work_off()
    Step.objects.exclude(waiting_code="").update(needs_disk_bytes=store.free_bytes() * 2 // 5)
    assert resume_held() == 3
    claimed = [Step.objects.claim(Lane.CPU, me(), here()) for _ in range(3)]
    assert [step is not None for step in claimed] == [True, True, False]


def test_a_step_that_no_empty_disk_could_hold_fails_with_words(job_of: JobOf) -> None:
    job = job_of("one")
    assert run_next(Lane.LIGHT)
    step = Step.objects.claim(Lane.CPU, me())
    assert step is not None
    with pytest.raises(StepError) as refused:
        commit_hold(step, store.total_bytes() + 1)
    commit_failure(step, refused.value)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert job.items.get().error_code == "disk_full"


def test_below_the_reserve_nothing_is_claimed_until_there_is_room(
    job_of: JobOf, settings: Any
) -> None:
    job = job_of("one")
    settings.TIDEMILL_DISK_RESERVE_BYTES = store.total_bytes() * 2
    sweep = RoomSweep()
    sweep()
    assert work_off() == 0
    assert snapshot(job)["waiting"]["reason"] == "disk_full"
    settings.TIDEMILL_DISK_RESERVE_BYTES = 0
    assert sweep() == 1
    assert work_off() == 2
    assert room.left_bytes() > 0
