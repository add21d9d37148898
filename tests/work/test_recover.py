"""What dead, silent and overdue workers leave behind goes on."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.work.conftest import work_off
from uploads.conf import conf
from uploads.models import Item, Job, Step
from uploads.states import ItemState, JobState, Lane, StepState
from uploads.storage import store
from uploads.work import plan, recover, retention
from uploads.work.clock import Watch
from uploads.work.presence import me, start_time
from uploads.work.run import run_next

pytestmark = pytest.mark.django_db

JobOf = Callable[..., Job]
DEAD = me().rsplit(":", 2)[0] + ":999999:1"


def claimed_by(job: Job, worker: str) -> Step:
    while run_next(Lane.LIGHT):
        pass
    step = Step.objects.claim(Lane.CPU, worker)
    assert step is not None
    return step


def test_the_step_of_a_dead_local_worker_is_taken_back_at_once(job_of: JobOf) -> None:
    job = job_of("one")
    claimed_by(job, DEAD)
    assert recover.recover_dead_workers() == 1
    assert recover.recover_dead_workers() == 0
    step = job.steps.get(kind="work")
    assert (step.state, step.crashes, step.attempt) == (StepState.READY, 1, 0)
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert job.events.filter(kind="worker_lost").count() == 1


def test_the_step_of_a_live_worker_is_left_alone(job_of: JobOf) -> None:
    claimed_by(job_of("one"), me())
    assert recover.recover_dead_workers() == 0
    assert recover.recover_silent_workers() == 0


def test_a_worker_of_another_host_is_judged_by_its_lease_only(job_of: JobOf) -> None:
    job = job_of("one")
    step = claimed_by(job, "elsewhere:00000000:5:5")
    assert recover.recover_dead_workers() == 0
    assert recover.recover_silent_workers() == 0
    now = [0.0]
    watch: Watch[recover.Watched] = Watch(now=lambda: now[0])
    assert recover.recover_silent_workers(watch) == 0
    now[0] = conf.LEASE_SECONDS - 1
    assert recover.recover_silent_workers(watch) == 0
    assert Step.renew(step.lease, 0.5)
    now[0] = conf.LEASE_SECONDS + 1
    assert recover.recover_silent_workers(watch) == 0
    now[0] = 2 * conf.LEASE_SECONDS + 2
    assert recover.recover_silent_workers(watch) == 1
    assert recover.recover_silent_workers(watch) == 0


def test_a_step_that_kills_its_worker_again_and_again_fails_with_words(job_of: JobOf) -> None:
    job = job_of("one")
    for _ in range(conf.STEP_CRASHES):
        claimed_by(job, DEAD)
        assert recover.recover_dead_workers() == 1
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "5 times" in job.items.get().error_text


def test_a_dead_workers_step_of_a_cancelled_job_is_cancelled(job_of: JobOf) -> None:
    job = job_of("one")
    claimed_by(job, DEAD)
    job.cancel("alice")
    assert job.state == JobState.RUNNING
    recover.recover_dead_workers()
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_worker_that_does_not_stop_is_killed(job_of: JobOf) -> None:
    stubborn = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        identity = me().rsplit(":", 2)[0]
        owner = f"{identity}:{stubborn.pid}:{start_time(stubborn.pid)}"
        step = claimed_by(job_of("one"), owner)
        limit = step.time_limit.total_seconds() + recover.DEADLINE_GRACE_SECONDS
        now = [0.0]
        watch: Watch[recover.Watched] = Watch(now=lambda: now[0])
        assert recover.stop_overdue_workers(watch) == 0
        now[0] = limit - 1
        assert recover.stop_overdue_workers(watch) == 0
        now[0] = limit + 1
        assert recover.stop_overdue_workers(watch) == 1
        assert stubborn.wait(timeout=10) == -9
    finally:
        stubborn.kill()
        stubborn.communicate()


def test_arrived_files_that_nobody_plans_are_planned(job_of: JobOf) -> None:
    job = job_of("one")
    job.steps.all().delete()
    assert plan.add_missing_plans() == 1
    assert plan.add_missing_plans() == 0
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


def test_a_missing_plan_is_asked_for_once_however_many_files(job_of: JobOf) -> None:
    job = job_of("one", "two", "three", "four")
    job.steps.all().delete()
    with CaptureQueriesContext(connection) as asked:
        assert plan.add_missing_plans() == 1
    assert len([query for query in asked if 'FROM "uploads_stage"' in query["sql"]]) == 1


def test_a_join_whose_parts_are_done_is_made_ready(job_of: JobOf) -> None:
    job = job_of("a\nb\n", operation="test.lines")
    while run_next(Lane.LIGHT):
        pass
    job.steps.filter(kind="work").update(state=StepState.SUCCEEDED)
    assert recover.ready_leftover_joins() == 1
    assert job.steps.get(kind="join").state == StepState.READY


def test_a_job_with_nothing_left_to_do_is_ended(job_of: JobOf) -> None:
    job = job_of("one")
    job.steps.all().delete()
    Item.objects.update(state=ItemState.SUCCEEDED)
    assert recover.mend_counters() == 1
    job.refresh_from_db()
    assert (job.state, job.items_done) == (JobState.SUCCEEDED, 1)


def test_files_without_a_row_are_removed_and_others_kept(job_of: JobOf) -> None:
    job = job_of("one")
    work_off()
    kept = store.path(job.results.get().storage_key)
    stray = kept.with_name("77.txt")
    stray.write_text("stray")
    os.utime(stray, (0, 0))  # from before the step's end
    late = kept.with_name("78.txt")
    late.write_text("of a newer database")
    assert retention.remove_orphans(older_than_seconds=-1) >= 1
    assert late.exists()
    assert retention.remove_orphans(older_than_seconds=-1, unclaimed_seconds=-1) >= 1
    assert not late.exists()
    assert kept.exists()
    assert not stray.exists()


def test_the_scratch_of_steps_that_run_no_more_is_removed(job_of: JobOf) -> None:
    step = claimed_by(job_of("one"), me())
    mine = store.scratch() / f"{step.pk}-{step.lease_token}"
    old = store.scratch() / f"{step.pk}-{'0' * 24}"
    upload = store.scratch() / "upload-abc"
    for folder in (mine, old, upload):
        folder.mkdir()
    assert retention.remove_orphan_scratch() == 1
    assert mine.exists()
    assert upload.exists()
    mine.rmdir()
    upload.rmdir()


def test_the_files_of_a_batch_that_costs_workers_go_on_one_by_one(job_of: JobOf) -> None:
    job = job_of("one", "two", "three", operation="test.poison")
    for _ in range(conf.STEP_CRASHES - 1):
        claimed_by(job, DEAD)
        assert recover.recover_dead_workers() == 1
    steps = job.steps.filter(kind="work", state=StepState.READY)
    assert [step.items.count() for step in steps] == [1, 1, 1]
    culprit = claimed_by(job, DEAD)
    assert recover.recover_dead_workers() == 1
    work_off()
    job.refresh_from_db()
    assert (job.state, job.items_done, job.items_failed) == (JobState.PARTIAL, 2, 1)
    assert culprit.items.get().error_code == "worker_lost"
    done = job.steps.filter(kind="work", state=StepState.SUCCEEDED)
    assert sum(done.values_list("weight", flat=True)) == pytest.approx(job.weight_total)
