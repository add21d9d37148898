"""The loop of the sweeps: when it looks, what one bad sweep may harm, and an outage."""

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from uploads import bell
from uploads.work import sweeper as sweeper_module
from uploads.work.sweeper import Sweep, Sweeper

pytestmark = pytest.mark.django_db


def counting(counts: dict[str, int], name: str) -> Sweep:
    def sweep() -> int:
        counts[name] = counts.get(name, 0) + 1
        return 0

    return Sweep(name, sweep, 0)


def test_it_looks_at_nothing_while_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper_module, "AWAKE_SECONDS", 0)
    counts: dict[str, int] = {}
    sweeper = Sweeper([counting(counts, "one")])
    sweeper.tick()
    sweeper.tick()
    before = dict(counts)
    with CaptureQueriesContext(connection) as queries:
        sweeper.tick()
        sweeper.tick()
    assert counts == before
    assert len(queries) <= 2
    sweeper.movement.close()


def test_one_bad_sweep_never_stops_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def bad() -> int:
        raise ZeroDivisionError

    counts: dict[str, int] = {}
    sweeper = Sweeper([Sweep("bad", bad, 0), counting(counts, "good")])
    assert sweeper.tick() == 1
    assert counts == {"good": 1}
    assert "The sweep bad failed" in caplog.text
    sweeper.movement.close()


def test_a_sweep_keeps_its_least_pause() -> None:
    counts: dict[str, int] = {}
    slow = Sweep("slow", counting(counts, "slow").function, 60)
    sweeper = Sweeper([slow, counting(counts, "quick")])
    for _ in range(3):
        sweeper._restless = True
        sweeper.tick()
    assert counts == {"slow": 1, "quick": 3}
    sweeper.movement.close()


def test_an_outage_makes_it_wait_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sweeper = Sweeper([])

    def away() -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(sweeper.movement, "seen", away)
    monkeypatch.setattr(connection, "close", lambda: None)
    assert [sweeper.tick() for _ in range(5)] == [2, 4, 8, 10, 10]


@pytest.mark.django_db(transaction=True)
def test_a_bell_is_heard_once_by_every_listener() -> None:
    one, two, other = (bell.Listener(topic) for topic in (bell.WORK, bell.WORK, bell.JOB))
    bell.ring(bell.WORK, "cpu")
    assert (one.wait(5), two.wait(5)) == (["cpu"], ["cpu"])
    assert (one.wait(0), other.wait(0)) == ([], [])
    for listener in (one, two, other):
        listener.close()
    bell.ring(bell.WORK, "nobody listens")
