"""How soon work goes on, told apart from what later blows did."""

import signal

import pytest

from tests.soak.effects import Effect
from tests.soak.strikes import Strike
from tests.soak.timing import Timing, undisturbed


def started(at: float, number: int) -> Effect:
    return Effect(number, at, "running", number, 1, None, "cpu", "work", 1, 0, "host:boot:1:2")


def struck(at: float) -> Strike:
    return Strike("worker", signal.SIGKILL, ["cpu"], frozenset({1}), at)


def test_what_later_blows_did_is_not_counted_against_the_first() -> None:
    strikes = [struck(10.0 * place) for place in range(1, 20)]
    strikes += [struck(500.0), struck(501.0)]  # the second one stops everything for long
    starts = [started(strike.at + 0.4, place) for place, strike in enumerate(strikes[:-2])]
    timing = Timing([*starts, started(509.0, 99)])
    assert [timing.next_step(strike) for strike in strikes[-2:]] == [9.0, 8.0]
    assert undisturbed(strikes, timing, strikes[:-1], 0.95) == pytest.approx(0.4)
    assert undisturbed(strikes, timing, strikes, 0.99) == pytest.approx(8.0)


def test_too_little_is_known_of_what_was_always_disturbed() -> None:
    strikes = [struck(1.0 * place) for place in range(1, 20)]
    timing = Timing([started(25.0, 1)])
    assert undisturbed(strikes[:-1], timing, strikes[:5], 0.95) is None
