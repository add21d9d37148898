"""A step that is stopped midway keeps what it has finished and goes on from its checkpoint."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.support.server import wait_until
from tests.work.conftest import work_off
from uploads.models import Job, Step
from uploads.states import ItemState, JobState, Lane, StepKind, StepState
from uploads.storage import store
from uploads.work import stopping
from uploads.work.run import run_next

pytestmark = pytest.mark.django_db(transaction=True)

JobOf = Callable[..., Job]


@pytest.fixture
def stop_when(monkeypatch: Any) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Send this process SIGTERM, as a stop does, as soon as something is so; undone at the end."""
    before = signal.getsignal(signal.SIGTERM)
    stopping.listen()
    threads = []

    def arrange(condition: Callable[[], object]) -> None:
        def watch() -> None:
            try:
                wait_until(condition, 30)
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                connection.close()  # a thread has one of its own

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield arrange
    for thread in threads:
        thread.join()
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def running_again(monkeypatch: Any) -> Callable[[], None]:
    """Let this process take steps again after a stop, as the next server would."""
    monkeypatch.setattr(stopping, "_asked", False)
    return lambda: monkeypatch.setattr(stopping, "_asked", False)


def planned(job: Job) -> Step:
    """Plan a job of one batch; return that."""
    assert run_next(Lane.LIGHT)
    return job.steps.get(kind=StepKind.WORK)


def begun(files: int) -> Callable[[], bool]:
    """Tell when so many files of the one running batch have been begun."""
    return lambda: len(list(store.scratch().glob("*/out/*"))) >= files


def contents(job: Job) -> list[str]:
    results = job.results.order_by("item__position")
    return [store.path(result.storage_key).read_text() for result in results]


def test_a_stopped_batch_keeps_its_finished_files_and_goes_on_with_the_rest(
    job_of: JobOf, stop_when: Any, running_again: Any
) -> None:
    job = job_of("one", "two", "wait 60", operation="test.poison")
    step = planned(job)
    stop_when(begun(3))
    assert run_next(Lane.CPU)
    step.refresh_from_db()
    job.refresh_from_db()
    assert (step.state, step.attempt, step.crashes) == (StepState.READY, 0, 0)
    assert (job.items_done, job.state) == (2, JobState.RUNNING)
    assert contents(job) == ["one", "two"]
    assert job.weight_done + step.weight == pytest.approx(job.weight_total)
    done = set(job.results.values_list("pk", flat=True))
    _change(job, "wait 60", "three")
    running_again()
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert [text.strip() for text in contents(job)] == ["one", "two", "three"]
    assert done < set(job.results.values_list("pk", flat=True))
    assert job.weight_done == pytest.approx(job.weight_total)
    assert list(store.scratch().iterdir()) == []


def _change(job: Job, text: str, other: str) -> None:
    """Give the file with this text another one, so that its next run behaves differently."""
    for item in job.items.all():
        assert item.upload is not None
        path = store.path(item.upload.storage_key)
        if path.read_text() == text:
            path.write_text(other.ljust(len(text)))


def test_a_file_that_gets_done_while_the_child_stops_counts(job_of: JobOf, stop_when: Any) -> None:
    job = job_of("last 60", "two", operation="test.poison")
    planned(job)
    stop_when(begun(1))
    assert run_next(Lane.CPU)
    states = list(job.items.order_by("position").values_list("state", flat=True))
    assert states == [ItemState.SUCCEEDED, ItemState.OPEN]


def test_a_file_whose_program_heard_the_signal_too_is_done_again(
    job_of: JobOf, stop_when: Any
) -> None:
    job = job_of("program 60", "two", operation="test.poison")
    planned(job)
    stop_when(begun(1))
    assert run_next(Lane.CPU)
    assert job.items.filter(state=ItemState.OPEN).count() == 2
    assert job.results.count() == 0


def test_a_cancelled_batch_keeps_its_finished_files(job_of: JobOf) -> None:
    job = job_of("one", "two", "wait 60", operation="test.poison")
    planned(job)
    cancelling = threading.Thread(target=_cancel, args=(job, begun(3)))
    cancelling.start()
    assert run_next(Lane.CPU)
    cancelling.join()
    job.refresh_from_db()
    assert (job.state, job.items_done, job.items_cancelled) == (JobState.CANCELLED, 2, 1)
    assert contents(job) == ["one", "two"]
    assert list(store.scratch().iterdir()) == []


def _cancel(job: Job, condition: Callable[[], bool]) -> None:
    wait_until(condition, 30)
    job.cancel("alice")
    connection.close()


def test_an_operation_goes_on_from_its_checkpoint_after_a_stop(
    job_of: JobOf, stop_when: Any, running_again: Any
) -> None:
    job = job_of("count 30", operation="test.poison", pause=0.1)
    step = planned(job)
    stop_when(lambda: Step.objects.filter(pk=step.pk).exclude(checkpoint=None).exists())
    assert run_next(Lane.CPU)
    step.refresh_from_db()
    assert step.checkpoint is not None
    saved = step.checkpoint["state"]["number"]
    assert 0 < saved < 30
    assert (step.state, step.attempt) == (StepState.READY, 0)
    running_again()
    work_off()
    assert contents(job) == [f"from {saved} to 30"]
    step.refresh_from_db()
    assert step.checkpoint is None


def test_a_dead_workers_step_goes_on_from_its_checkpoint(job_of: JobOf) -> None:
    job = job_of("count 5", operation="test.poison")
    step = planned(job)
    item = job.items.get()
    saved = {"item": item.pk, "version": 1, "state": {"number": 3}}
    Step.objects.filter(pk=step.pk).update(checkpoint=saved, crashes=1)
    work_off()
    assert contents(job) == ["from 3 to 5"]


@pytest.mark.parametrize("change", [{"item": -1}, {"version": 0}])
def test_a_checkpoint_of_another_file_or_version_is_not_given(
    job_of: JobOf, change: dict[str, int]
) -> None:
    job = job_of("count 5", operation="test.poison")
    step = planned(job)
    saved = {"item": job.items.get().pk, "version": 1, "state": {"number": 3}, **change}
    Step.objects.filter(pk=step.pk).update(checkpoint=saved)
    work_off()
    assert contents(job) == ["from 0 to 5"]


def test_a_try_after_an_error_goes_on_from_the_checkpoint(job_of: JobOf) -> None:
    job = job_of("count_and_fail 3", operation="test.poison")
    while job.items.filter(state=ItemState.OPEN).exists():
        Step.objects.filter(state=StepState.READY).update(not_before=timezone.now())
        assert work_off()
    assert contents(job) == ["from 2 to 3"]


def test_a_checkpoint_beyond_its_limit_is_the_operations_fault(job_of: JobOf) -> None:
    job = job_of("hoard 70000", operation="test.poison")
    work_off()
    step = job.steps.filter(kind=StepKind.WORK).latest("pk")
    assert step.checkpoint is None
    event = job.events.get(kind="step_retry")
    assert "65536 bytes" in event.text
