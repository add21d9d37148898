"""Wishes at the wrong moment: every order of events leaves the job with one right end."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support.invariants import assert_consistent
from tests.work.conftest import work_off
from uploads.conf import conf
from uploads.models import Job, Step, Upload
from uploads.states import JobState, Lane, StepKind, StepState, UploadState
from uploads.storage import store
from uploads.work import retention
from uploads.work.perform import perform
from uploads.work.plan import add_missing_plans
from uploads.work.presence import me
from uploads.work.recover import abandon, mend_counters
from uploads.work.run import run_next
from uploads.work.unfinished import commit_cancel, commit_release

pytestmark = pytest.mark.django_db

JobOf = Callable[..., Job]


def claim(lane: Lane = Lane.CPU) -> Step:
    step = Step.objects.claim(lane, me())
    assert step is not None
    return step


def planned(job_of: JobOf, *texts: str) -> Job:
    job = job_of(*texts, operation="test.lines")
    while run_next(Lane.LIGHT):
        pass
    return job


def test_a_plan_that_commits_after_a_cancel_leaves_nothing_waiting(job_of: JobOf) -> None:
    job = job_of("one", "two")
    step = claim(Lane.LIGHT)
    job.cancel("alice")
    perform(step)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert not job.steps.filter(state__in=[StepState.READY, StepState.RUNNING]).exists()


def test_the_last_part_that_commits_after_a_cancel_ends_the_job(job_of: JobOf) -> None:
    job = planned(job_of, "a\n")
    step = claim()
    job.cancel("alice")
    perform(step)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_step_put_back_after_a_cancel_ends_the_job(job_of: JobOf) -> None:
    job = planned(job_of, "a\n")
    step = claim()
    job.cancel("alice")
    commit_release(step)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_job_stuck_while_cancelling_is_mended(job_of: JobOf) -> None:
    job = job_of("one")
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now())
    assert mend_counters() == 1
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_part_of_a_failed_item_does_not_succeed_without_files(job_of: JobOf) -> None:
    job = planned(job_of, "bad\nb\n", "x\n")
    first, second = claim(), claim()
    perform(first)
    perform(second)
    second.refresh_from_db()
    assert second.state == StepState.CANCELLED
    work_off()
    upload = Upload.objects.get(name="file-0.txt")
    store.path(upload.storage_key).write_text("aaa\nb\n")
    job.refresh_from_db()
    job.retry("alice")
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    shouted = job.results.get(item__upload=upload)
    assert store.path(shouted.storage_key).read_text() == "AAA\nB\n"


def test_a_retry_outlives_a_part_that_is_still_being_cancelled(job_of: JobOf) -> None:
    job = planned(job_of, "a\nb\n")
    first, second = claim(), claim()
    job.cancel("alice")
    commit_cancel(first)
    job.refresh_from_db()
    job.retry("alice")
    assert_consistent()
    commit_cancel(second)
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


def test_a_dead_workers_part_of_an_ended_item_is_not_offered_again(job_of: JobOf) -> None:
    job = planned(job_of, "bad\nb\n")
    first, second = claim(), claim()
    perform(first)
    abandon(second)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert not job.steps.filter(state=StepState.READY).exclude(kind=StepKind.NOTIFY).exists()


def test_an_expired_job_that_was_just_retried_is_kept(job_of: JobOf) -> None:
    job = job_of("bad")
    work_off()
    Job.objects.filter(pk=job.pk).update(expires_at=timezone.now() - timedelta(days=1))
    job.refresh_from_db()
    job.retry("alice")
    assert retention.prune_jobs() == 0
    work_off()
    Job.objects.filter(pk=job.pk).update(expires_at=timezone.now() - timedelta(days=1))
    assert retention.prune_jobs() == 1
    assert not Job.objects.exists()


def test_a_file_that_a_job_has_just_taken_is_not_given_up(job_of: JobOf) -> None:
    job = job_of("one")
    upload = Upload.objects.get()
    assert not upload.remove(UploadState.TERMINATED)
    work_off()
    upload = Upload.objects.get()
    assert not upload.remove(UploadState.EXPIRED)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert upload.remove(UploadState.TERMINATED)


def test_a_plan_that_fails_before_it_takes_its_items_fails_them(job_of: JobOf) -> None:
    job = job_of("one", "two")
    for _ in range(conf.STEP_CRASHES):
        abandon(claim(Lane.LIGHT))
    job.refresh_from_db()
    assert (job.state, job.items_failed) == (JobState.FAILED, 2)
    assert add_missing_plans() == 0
    assert "5 times" in job.items.all()[0].error_text
    assert_consistent()
