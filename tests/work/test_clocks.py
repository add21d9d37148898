"""The wall clock is set, or differs between hosts: nothing ends early, nothing waits for ever."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.support.holders import finish
from uploads.conf import conf
from uploads.errors import RequestError, StepError
from uploads.models import Job, SetupLink, SignInTry, Step, Token, Worker
from uploads.states import JobState, Lane
from uploads.storage import store
from uploads.work import presence, recover, retention
from uploads.work.clock import DOUBT_SECONDS, WallClock, Watch
from uploads.work.commit import commit_failure
from uploads.work.presence import me
from uploads.work.run import run_next
from uploads.work.sweeper import Sweep, Sweeper

pytestmark = pytest.mark.django_db

JobOf = Callable[..., Job]
JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=2), timedelta(days=-2)]
ELSEWHERE = "elsewhere:00000000:5:5"
each_jump = pytest.mark.parametrize("jump", JUMPS, ids=str)


class Setting:
    """A wall clock that a test sets; the time since boot goes on by itself."""

    def __init__(self) -> None:
        self.wall, self.boot = 1_000_000.0, 100.0

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds

    def clock(self) -> WallClock:
        clock = WallClock(lambda: self.wall, lambda: self.boot)
        clock.jump()
        return clock


@pytest.fixture
def set_clock() -> Iterator[Callable[[timedelta], None]]:
    """Set what `timezone.now` tells everywhere in this process, models' defaults included."""
    shift = [timedelta()]

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + shift[0]

    def set_by(jump: timedelta) -> None:
        shift[0] += jump

    with patch.object(timezone, "datetime", Shifted):
        yield set_by


def claimed(job: Job, worker: str) -> Step:
    while run_next(Lane.LIGHT):
        pass
    step = Step.objects.claim(Lane.CPU, worker)
    assert step is not None
    return step


def work_off() -> None:
    """Do all that is ready, without children."""
    while step := Step.objects.claim(Lane.LIGHT, me()) or Step.objects.claim(Lane.CPU, me()):
        finish(step)


def test_a_clock_that_goes_evenly_has_not_jumped() -> None:
    setting = Setting()
    clock = setting.clock()
    for _ in range(100):
        setting.go(3600)
        setting.wall += 0.5  # a slow correction, 140 ppm
        assert clock.jump() == 0
    assert not clock.doubtful


@each_jump
def test_a_jump_is_noticed_once_and_doubted_for_a_day(jump: timedelta) -> None:
    setting = Setting()
    clock = setting.clock()
    setting.go(10)
    setting.wall += jump.total_seconds()
    assert clock.jump() == pytest.approx(jump.total_seconds())
    assert clock.jump() == 0
    assert clock.doubtful
    setting.go(DOUBT_SECONDS + 1)
    assert clock.jump() == 0
    assert not clock.doubtful


@each_jump
@pytest.mark.parametrize("worker", [ELSEWHERE, ""], ids=["remote", "local"])
def test_no_jump_takes_a_step_from_a_worker_that_renews(
    job_of: JobOf, set_clock: Callable[[timedelta], None], jump: timedelta, worker: str
) -> None:
    step = claimed(job_of("one"), worker or me())
    now = [0.0]
    leases: Watch[recover.Watched] = Watch(now=lambda: now[0])
    limits: Watch[recover.Watched] = Watch(now=lambda: now[0])
    recover.recover_silent_workers(leases)
    recover.stop_overdue_workers(limits)
    set_clock(jump)
    assert recover.recover_silent_workers(leases) == 0
    for _ in range(10):
        now[0] += 10
        assert Step.renew(step.lease, 0.1)
        assert recover.recover_dead_workers() == 0
        assert recover.recover_silent_workers(leases) == 0
    with patch.object(os, "kill") as kill:
        assert recover.stop_overdue_workers(limits) == 0
        kill.assert_not_called()


@each_jump
def test_after_any_jump_a_silent_worker_is_missed_in_time(
    job_of: JobOf, set_clock: Callable[[timedelta], None], jump: timedelta
) -> None:
    claimed(job_of("one"), ELSEWHERE)
    now = [0.0]
    watch: Watch[recover.Watched] = Watch(now=lambda: now[0])
    recover.recover_silent_workers(watch)
    set_clock(jump)
    now[0] = conf.LEASE_SECONDS - 1
    assert recover.recover_silent_workers(watch) == 0
    now[0] = conf.LEASE_SECONDS + 1
    assert recover.recover_silent_workers(watch) == 1


@each_jump
def test_what_is_ready_runs_and_what_pauses_pauses_no_longer_than_before(
    job_of: JobOf, set_clock: Callable[[timedelta], None], jump: timedelta
) -> None:
    setting = Setting()
    waits = recover.Waits(setting.clock())
    failing = claimed(job_of("flaky"), me())
    commit_failure(failing, StepError("tool_failed", tool="copier", reason="no luck"))
    queued = job_of("two")
    setting.wall += jump.total_seconds()
    set_clock(jump)
    waits.shorten()
    failing.refresh_from_db()
    assert failing.not_before <= timezone.now() + timedelta(seconds=10)
    work_off()
    queued.refresh_from_db()
    assert queued.state == JobState.SUCCEEDED


def test_a_clock_set_back_while_nobody_swept_delays_by_minutes_at_most(
    job_of: JobOf, set_clock: Callable[[timedelta], None]
) -> None:
    job = job_of("one")
    set_clock(timedelta(days=-2))
    assert Step.objects.claim(Lane.LIGHT, me()) is None
    assert recover.Waits().shorten() == 1
    job.refresh_from_db()
    assert job.last_claimed_at <= timezone.now()
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


def test_a_pause_before_a_retry_is_left_alone(job_of: JobOf) -> None:
    step = claimed(job_of("flaky"), me())
    commit_failure(step, StepError("tool_failed", tool="copier", reason="no luck"))
    assert recover.Waits().shorten() == 0
    step.refresh_from_db()
    assert step.not_before > timezone.now()


def test_nothing_is_deleted_by_age_for_a_day_after_a_jump(
    caplog: pytest.LogCaptureFixture,
) -> None:
    setting, ran = Setting(), []
    sweep = Sweep("old", lambda: ran.append("old"), 0, 0, by_age=True)
    other = Sweep("other", lambda: ran.append("other"), 0, 0)
    sweeper = Sweeper([sweep, other], clock=setting.clock())
    sweeper.tick()
    setting.wall += 2 * 86400
    sweeper.tick()
    assert ran == ["old", "other", "other"]
    assert "The clock was set by +172800 s" in caplog.text
    setting.wall -= 2 * 86400
    sweeper.tick()
    setting.go(DOUBT_SECONDS + 1)
    sweeper.tick()
    assert ran == ["old", "other", "other", "other", "old", "other"]
    sweeper.movement.close()


def test_a_running_steps_folder_stays_however_old_it_looks(job_of: JobOf) -> None:
    step = claimed(job_of("one"), me())
    mine = store.scratch() / f"{step.pk}-{step.lease_token}"
    left = store.scratch() / "form-abc.upload"
    mine.mkdir()
    left.touch()
    for path in (mine, left):
        os.utime(path, (0, 0))
    assert retention.remove_forgotten() == 1
    assert retention.remove_orphan_scratch() == 0
    assert mine.exists()
    mine.rmdir()


def test_expiry_goes_by_the_databases_clock(
    job_of: JobOf, set_clock: Callable[[timedelta], None]
) -> None:
    job = job_of("one")
    work_off()
    set_clock(timedelta(days=40))  # this host's clock is wrong, the database's is right
    assert retention.prune_jobs() == 0
    assert Job.objects.filter(pk=job.pk).exists()


@each_jump
def test_workers_are_seen_alive_right_after_a_jump(
    set_clock: Callable[[timedelta], None], jump: timedelta
) -> None:
    setting = Setting()
    register = presence.Register()
    register._clock = setting.clock()
    presence.announce(os.getpid(), "cpu")
    try:
        register.renew()
        setting.wall += jump.total_seconds()
        set_clock(jump)
        register.renew()
        assert Worker.objects.live().count() == 1
        seen = Worker.objects.get().last_seen_at
        assert abs(seen - timezone.now()) < timedelta(seconds=20)
    finally:
        for path in presence.run_folder().glob(f"{presence.PREFIX}-cpu-*"):
            path.unlink()


@each_jump
def test_tokens_outlive_jumps_and_the_setup_link_outlives_the_wrong_time(
    alice: User, set_clock: Callable[[timedelta], None], jump: timedelta
) -> None:
    _, secret = Token.issue(alice, "script")
    link = SetupLink.issue()
    set_clock(jump)
    assert Token.owner_of(secret) == alice
    assert SetupLink.valid(link) == (jump < timedelta(days=1))
    set_clock(-jump)
    assert Token.owner_of(secret) == alice
    assert SetupLink.valid(link)


def test_a_clock_set_back_locks_nobody_out(set_clock: Callable[[timedelta], None]) -> None:
    for _ in range(5):
        SignInTry.note("alice", "10.0.0.1")
    with pytest.raises(RequestError):
        SignInTry.note("alice", "10.0.0.1")
    set_clock(timedelta(days=-2))
    SignInTry.note("alice", "10.0.0.1")
