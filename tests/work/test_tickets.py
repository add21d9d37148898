"""The broker: a ticket while a step is claimable, ordinary tasks as ever, no busy loop."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from uploads import bell
from uploads.models import Job, Step
from uploads.states import Lane
from uploads.work import tickets
from uploads.work.run import run_next
from uploads.work.tickets import BellBroker

pytestmark = pytest.mark.django_db(transaction=True)

JobOf = Callable[..., Job]


@pytest.fixture
def broker() -> Iterator[BellBroker]:
    made = BellBroker("light")
    yield made
    made.close()


def ring_later(lane: str, seconds: float) -> None:
    """Ring from another thread, with a connection of its own."""

    def ring() -> None:
        bell.ring(bell.WORK, lane)
        connection.close()

    threading.Timer(seconds, ring).start()


def seconds_of(broker: BellBroker, looks: int = 1) -> float:
    started = time.monotonic()
    for _ in range(looks):
        broker.dequeue()
    return time.monotonic() - started


def test_a_claimable_step_makes_a_ticket_for_the_one_target(
    broker: BellBroker, job_of: JobOf
) -> None:
    job_of("one")
    [(receipt, package)] = broker.dequeue() or []
    task = SignedPackage.loads(package)
    assert receipt is None
    assert (task["func"], task["args"], task["timeout"]) == ("uploads.work.run.drain", (), -1)
    assert OrmQ.objects.count() == 0


def test_a_lost_ticket_is_made_again(broker: BellBroker, job_of: JobOf) -> None:
    job_of("one")
    assert [bool(broker.dequeue()) for _ in range(4)].count(True) >= 3


def test_a_step_that_nobody_takes_does_not_make_it_spin(broker: BellBroker, job_of: JobOf) -> None:
    job_of("one")
    until = time.monotonic() + 1.5
    made = 0
    while time.monotonic() < until:
        made += bool(broker.dequeue())
    assert 3 <= made <= 7 * tickets.Conf.WORKERS


def test_the_bell_of_its_lane_wakes_it_at_once(broker: BellBroker) -> None:
    ring_later("light", 0.3)
    assert 0.2 < seconds_of(broker) < 2


def test_the_bell_of_another_lane_does_not_wake_it(
    broker: BellBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets, "LOOK_SECONDS", 1.0)
    ring_later("cpu", 0.2)
    assert seconds_of(broker) >= 0.9


def test_it_wakes_by_itself_when_a_postponed_step_is_due(broker: BellBroker, job_of: JobOf) -> None:
    job_of("one")
    Step.objects.update(not_before=timezone.now() + timedelta(seconds=1))
    assert 0.5 < seconds_of(broker) < 3
    assert any(broker.dequeue() for _ in range(2))


def test_paused_and_finished_work_makes_no_ticket(
    broker: BellBroker, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets, "LOOK_SECONDS", 0.2)
    job = job_of("one")
    job.pause("alice")
    assert broker.dequeue() is None
    job.resume("alice")
    while run_next(Lane.LIGHT) or run_next(Lane.CPU):
        continue
    assert [broker.dequeue() for _ in range(3)] == [None] * 3


def test_an_ordinary_task_keeps_its_row_until_acknowledged(broker: BellBroker) -> None:
    async_task("math.floor", 1.5, broker=broker)
    [(receipt, package)] = broker.dequeue() or []
    assert SignedPackage.loads(package)["func"] == "math.floor"
    assert OrmQ.objects.filter(pk=receipt).exists()
    broker.acknowledge(receipt)
    assert not OrmQ.objects.exists()


def test_an_idle_look_costs_three_queries(
    broker: BellBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets, "LOOK_SECONDS", 0.1)
    broker.dequeue()
    with CaptureQueriesContext(connection) as queries:
        broker.dequeue()
    assert len(queries) == 3


def test_a_lane_is_rung_once_however_many_steps_it_has(job_of: JobOf) -> None:
    job = job_of("a\nb\nc\nd\ne\nf\n", operation="test.lines")
    assert run_next(Lane.LIGHT)
    listener = bell.Listener(bell.WORK)
    try:
        with transaction.atomic():
            job.ring_lanes()
        assert listener.wait(5) == [Lane.CPU]
    finally:
        listener.close()
