"""Stopping: by one signal, by two, to the group, by force; and starting again."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.crash.conftest import is_whole, wait_for, wait_running
from tests.support.server import Server, wait_until
from uploads.models import Job, Step

pytestmark = pytest.mark.processes

Submit = Callable[..., Job]


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM] * 2])
def test_a_stop_puts_the_running_step_back(
    signals: list[signal.Signals], running: Server, submit: Submit
) -> None:
    job = submit(3, pause=8)
    step = wait_running(job)
    for number in signals[:-1]:
        running.kill(running.role("up"), number)
    assert running.stop(signals[-1], seconds=25) == 0
    assert running.processes() == []
    if len(signals) == 1:
        step.refresh_from_db()
        assert (step.state, step.attempt, step.crashes) == ("ready", 0, 0)
    job.cancel("alice")
    running.start()
    running.wait_ready()
    wait_for(submit(2))


def test_the_signal_may_go_to_every_process_of_a_cluster(running: Server, submit: Submit) -> None:
    job = submit(2, pause=4)
    step = wait_running(job)
    main = running.role("main")
    os.killpg(main, signal.SIGTERM)
    wait_until(lambda: is_whole(running, without=main), 20, "a new cluster")
    step.refresh_from_db()
    assert step.crashes == 0
    wait_for(job)


def test_a_killed_supervisor_leaves_nothing_behind(running: Server, submit: Submit) -> None:
    job = submit(6, pause=0.7)
    wait_running(job)
    running.kill(running.role("up"))
    wait_until(lambda: running.processes() == [], 15, "all processes to end")
    running.reap()
    running.start()
    running.wait_ready()
    wait_for(job)


def test_everything_may_die_at_once(running: Server, submit: Submit) -> None:
    job = submit(6, pause=0.7)
    wait_running(job)
    for process in running.processes():
        running.kill(process.pid)
    running.reap()
    # One that was being forked meanwhile dies by its parent's death, a moment later.
    wait_until(lambda: running.processes() == [], 5, "the end of all processes")
    running.start()
    running.wait_ready()
    wait_for(job)
    assert Step.objects.filter(job=job, crashes__gt=1).count() == 0
