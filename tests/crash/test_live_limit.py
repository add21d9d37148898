"""A lane's limit on a running server: lowered and raised while steps run, and met by a dying worker."""

from collections.abc import Callable, Iterator

import pytest

from tests.crash.conftest import wait_for, wait_running
from tests.support.server import Server, wait_until
from uploads.models import Job, LaneLimit, Step, holding
from uploads.states import StepState
from uploads.work import presence

pytestmark = pytest.mark.processes

Submit = Callable[..., Job]


@pytest.fixture
def unlimited(submit: Submit) -> Iterator[None]:
    """Leave the server to the next test without a limit."""
    yield
    holding.limit("cpu", None, "root")


def at_work() -> int:
    return Step.objects.filter(state=StepState.RUNNING, lane="cpu").count()


def done() -> int:
    return Step.objects.filter(state=StepState.SUCCEEDED, kind="work").count()


@pytest.mark.usefixtures("unlimited")
def test_two_then_one_then_two_at_once_without_a_restart(running: Server, submit: Submit) -> None:
    holding.limit("cpu", 2, "root")
    jobs = [submit(1, pause=0.5) for _ in range(8)]
    wait_until(lambda: at_work() == 2, 15, "two steps at once")
    before = done()

    holding.limit("cpu", 1, "root")
    wait_until(lambda: at_work() == 1, 15, "one step alone")
    assert done() > before, "a running step was taken away"
    seen: set[int] = set()
    until = done() + 2
    wait_until(lambda: seen.add(at_work()) or done() >= until, 15, "two more steps")
    assert seen <= {0, 1}

    holding.limit("cpu", 2, "root")
    wait_until(lambda: at_work() == 2, 15, "two steps at once again")
    for job in jobs:
        wait_for(job)
    assert LaneLimit.objects.get().max_inflight == 2


@pytest.mark.usefixtures("unlimited")
def test_the_place_of_a_killed_worker_is_taken(running: Server, submit: Submit) -> None:
    holding.limit("cpu", 1, "root")
    job = submit(3, pause=0.4)
    running.kill(presence.pid_of(wait_running(job).lease_owner))
    wait_for(job)
