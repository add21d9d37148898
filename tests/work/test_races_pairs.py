"""Two wishes in the same moment: real threads, own connections, one right end whoever is first."""

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.factories import make_job, make_upload
from tests.support.holders import errors, finish, race
from tests.support.invariants import assert_consistent
from tests.work.test_recover import DEAD
from uploads.errors import LeaseLost, StepError
from uploads.management.commands.sweep import INTAKE_SWEEPS
from uploads.models import Job, Step, Upload
from uploads.states import JobState, Lane, StepKind, StepState, UploadState
from uploads.storage import store
from uploads.work.commit import commit_failure
from uploads.work.perform import perform
from uploads.work.presence import me
from uploads.work.submit import JobRequest, StageRequest, submit
from uploads.work.sweeper import Sweep
from uploads.work.sweeps import SWEEPS

pytestmark = pytest.mark.django_db(transaction=True)

JobOf = Callable[..., Job]
# Register and Waits keep what they saw; two processes have one each, so the race has two.
SHARED_SWEEPS: tuple[Sweep, ...] = (*SWEEPS, *INTAKE_SWEEPS)
rounds = pytest.mark.parametrize("rounds", [3, pytest.param(200, marks=pytest.mark.soak)])


@pytest.fixture(autouse=True)
def _one_item_a_step(settings: object) -> None:
    settings.TIDEMILL_STEP_SECONDS = 0.1  # type: ignore[attr-defined]
    for folder in ("store", "incoming", "scratch"):  # an earlier test's rows are gone
        shutil.rmtree(store.path(folder), ignore_errors=True)


def claim(lane: Lane = Lane.CPU, worker: str = "") -> Step | None:
    return Step.objects.claim(lane, worker or me())


def claimed(lane: Lane = Lane.CPU, worker: str = "") -> Step:
    step = claim(lane, worker)
    assert step is not None
    return step


def plan() -> None:
    perform(claimed(Lane.LIGHT))


def work_through(job: Job) -> JobState:
    """Do all that is ready, without children; return how the job ended."""
    while (step := claim(Lane.LIGHT) or claim()) is not None:
        finish(step)
    job.refresh_from_db()
    return JobState(job.state)


def fresh(job: Job) -> Job:
    """Return the job as another process reads it."""
    return Job.objects.get(pk=job.pk)


def forget(job: Job) -> None:
    fresh(job).remove("alice")
    assert not Job.objects.exists()
    assert_consistent(at_rest=True)


@rounds
def test_a_cancel_against_a_commit(job_of: JobOf, rounds: int) -> None:
    for number in range(rounds):
        job = job_of("one", "two")
        plan()
        step, other = claimed(), fresh(job)
        cancelled, done = race(partial(other.cancel, "alice"), partial(finish, step), seed=number)
        errors([cancelled, done])
        assert cancelled.result is True
        job.refresh_from_db()
        assert (job.state, job.items_done, job.items_cancelled) == (JobState.CANCELLED, 1, 1)
        assert_consistent(at_rest=True)
        forget(job)


@rounds
def test_a_cancel_against_the_last_commit(job_of: JobOf, rounds: int) -> None:
    for number in range(rounds):
        job = job_of("one")
        plan()
        step, other = claimed(), fresh(job)
        errors(race(partial(other.cancel, "alice"), partial(finish, step), seed=number))
        job.refresh_from_db()
        assert (job.state, job.results.count()) == (JobState.SUCCEEDED, 1)
        assert_consistent(at_rest=True)
        forget(job)


@rounds
def test_a_cancel_against_a_claim(job_of: JobOf, rounds: int) -> None:
    for number in range(rounds):
        job = job_of("one")
        plan()
        other = fresh(job)
        actors = race(partial(other.cancel, "alice"), claim, seed=number)
        errors(actors)
        step = actors[1].result
        assert_consistent()
        job.refresh_from_db()
        assert job.state == (JobState.CANCELLED if step is None else JobState.RUNNING)
        if step is not None:
            finish(step)
        assert claim() is None
        assert fresh(job).is_finished
        assert_consistent(at_rest=True)
        forget(job)


@rounds
def test_a_pause_against_a_claim(job_of: JobOf, rounds: int) -> None:
    for number in range(rounds):
        job = job_of("one", "two")
        plan()
        other = fresh(job)
        actors = race(partial(other.pause, "alice"), claim, seed=number)
        errors(actors)
        assert fresh(job).paused_at
        assert claim() is None
        assert_consistent()
        if actors[1].result is not None:
            finish(actors[1].result)
        fresh(job).resume("alice")
        assert work_through(job) == JobState.SUCCEEDED
        assert_consistent(at_rest=True)
        forget(job)


@rounds
def test_a_retry_against_every_sweep(job_of: JobOf, rounds: int) -> None:
    for number in range(rounds):
        job = job_of("one", "two")
        plan()
        commit_failure(failing := claimed(), StepError("step_timeout", limit="1 s"))
        finish(claimed())
        assert Step.objects.get(pk=failing.pk).state == StepState.FAILED
        other = fresh(job)
        assert other.state == JobState.PARTIAL
        errors(race(partial(other.retry, "alice"), sweep_all, sweep_all, seed=number))
        assert_consistent(at_rest=True)
        assert work_through(job) == JobState.SUCCEEDED
        assert_consistent(at_rest=True)
        forget(job)


@rounds
def test_a_deletion_against_a_commit(job_of: JobOf, rounds: int) -> None:
    for number in range(rounds):
        job = job_of("one", "two")
        plan()
        step, other = claimed(), fresh(job)
        actors = race(partial(other.remove, "alice"), partial(finish, step), seed=number)
        errors(actors, LeaseLost)
        assert not Job.objects.exists()
        assert not Step.objects.exists()
        assert_consistent(at_rest=True)
        assert not [path for path in store.path("incoming").glob("*/*") if path.is_file()]


@rounds
def test_two_submits_with_one_idempotency_key(
    alice: User, text_upload: Callable[..., Upload], rounds: int
) -> None:
    for number in range(rounds):
        upload = text_upload("text", f"{number}.txt")
        request = JobRequest(
            [StageRequest("test.copy")], [upload.key], idempotency_key=f"key-{number}"
        )
        actors = race(*[partial(submit, alice, request)] * 3, seed=number)
        errors(actors)
        assert len({actor.result.pk for actor in actors}) == 1
        job = Job.objects.get()
        assert job.items.count() == job.inputs.count() == job.steps.count() == 1
        assert_consistent()
        forget(job)


@rounds
def test_a_files_last_byte_against_the_submit(alice: User, tmp_path: Path, rounds: int) -> None:
    path = tmp_path / "late.txt"
    path.write_text("text")
    for number in range(rounds):
        upload = make_upload(alice, path, media_type="text/plain", complete=False)
        other = Upload.objects.get(pk=upload.pk)
        actors = race(
            partial(other.complete, kind="text", media_type="text/plain"),
            partial(make_job, alice, [upload], "test.copy"),
            seed=number,
        )
        errors(actors)
        job = actors[1].result
        assert_consistent()
        assert job.steps.filter(kind=StepKind.PLAN).count() == 1
        assert work_through(job) == JobState.SUCCEEDED
        forget(job)


@rounds
def test_two_sweepers_over_every_kind_of_debris(
    alice: User, job_of: JobOf, tmp_path: Path, rounds: int
) -> None:
    for number in range(rounds):
        jobs = leave_debris(alice, job_of, tmp_path)
        errors(race(sweep_all, sweep_all, seed=number))
        assert_consistent(at_rest=True)
        lost = jobs["dead worker"].events.filter(kind="worker_lost")
        assert lost.count() == 1
        assert jobs["dead worker"].steps.get(kind=StepKind.WORK).crashes == 1
        assert jobs["missing plan"].steps.filter(kind=StepKind.PLAN).count() == 1
        assert fresh(jobs["stuck"]).state == JobState.SUCCEEDED
        assert fresh(jobs["unsettled"]).settled_at
        assert not Job.objects.filter(pk=jobs["expired"].pk).exists()
        uploads = Upload.objects.filter(name="late.txt").order_by("pk")
        assert [upload.state for upload in uploads] == [UploadState.COMPLETE, UploadState.EXPIRED]
        for name in ("dead worker", "missing plan"):
            assert work_through(jobs[name]) == JobState.SUCCEEDED
        assert_consistent(at_rest=True)
        for job in Job.objects.all():
            job.remove("alice")
        Upload.objects.all().delete()


def leave_debris(alice: User, job_of: JobOf, tmp_path: Path) -> dict[str, Job]:
    """Leave what kills leave: one job for each thing that a sweep mends, and stray files."""
    jobs = {"dead worker": job_of("one")}
    plan()
    claimed(worker=DEAD)
    for name in ("stuck", "unsettled", "expired", "missing plan"):
        jobs[name] = job_of("one")
        if name != "missing plan":
            plan()
            finish(claimed())
    jobs["missing plan"].steps.all().delete()
    change = Job.objects.filter(pk=jobs["stuck"].pk).update
    change(state=JobState.RUNNING, items_done=0, finished_at=None, expires_at=None, settled_at=None)
    jobs["stuck"].events.filter(kind="ended").delete()
    Job.objects.filter(pk=jobs["unsettled"].pk).update(settled_at=None)
    past = timezone.now() - timedelta(days=1)
    Job.objects.filter(pk=jobs["expired"].pk).update(expires_at=past)
    path = tmp_path / "late.txt"
    path.write_text("text")
    make_upload(alice, path, complete=False)
    expired = make_upload(alice, path)
    Upload.objects.filter(pk=expired.pk).update(expires_at=past)
    (store.scratch() / f"1-{'0' * 24}").mkdir(exist_ok=True)
    for folder in ("incoming/ff", f"store/ff/{'f' * 24}/1-{'f' * 24}"):
        stray = store.path(folder) / f"{'f' * 32}"
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.touch()
        os.utime(stray, (0, 0))
    return jobs


def sweep_all() -> None:
    """Run every sweep once, as one tick of a sweep process does."""
    for sweep in SHARED_SWEEPS:
        sweep.function()
