"""kill -9 of any one process: work goes on, the tree heals, nothing is left over."""

import signal
from collections.abc import Callable

import pytest

from tests.crash.conftest import ROLES, is_whole, wait_for, wait_running
from tests.support.server import Server, wait_until
from uploads.models import Job, Step
from uploads.work import presence

pytestmark = pytest.mark.processes

Submit = Callable[..., Job]


@pytest.mark.parametrize("role", ROLES)
def test_work_goes_on_after_the_death_of(role: str, running: Server, submit: Submit) -> None:
    victim = running.role(role)
    running.kill(victim)
    wait_for(submit())
    wait_until(lambda: is_whole(running, without=victim), 20, "the tree to heal")


def test_idle_workers_may_die_again_and_again(running: Server, submit: Submit) -> None:
    for _ in range(6):
        running.kill(running.role("worker"))
        wait_until(lambda: is_whole(running), 10, "a new worker")
    wait_for(submit())


def test_a_busy_worker_costs_one_step_that_is_done_again(running: Server, submit: Submit) -> None:
    job = submit(4, pause=0.7)
    step = wait_running(job)
    running.kill(presence.pid_of(step.lease_owner))
    wait_for(job)
    assert list(Step.objects.filter(job=job, crashes__gt=0).values_list("pk", "crashes")) == [
        (step.pk, 1)
    ]


@pytest.mark.parametrize("role", ["sentinel", "main", "sweep"])
def test_a_job_under_way_survives_the_death_of(role: str, running: Server, submit: Submit) -> None:
    job = submit(5, pause=0.5)
    wait_running(job)
    running.kill(running.role(role))
    wait_for(job)


@pytest.mark.parametrize("role", ["worker", "pusher", "main"])
def test_a_stopped_process_is_replaced(role: str, running: Server, submit: Submit) -> None:
    victim = running.role(role)
    running.kill(victim, signal.SIGSTOP)
    wait_until(lambda: is_whole(running, without=victim), 20, "a replacement")
    wait_for(submit(2))
