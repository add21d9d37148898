"""The forecast: what must hold for any sums of rows, and what the play knows about claims."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from uploads.forecast import Busy, Load, foresee, play
from uploads.likely import WIDEST, time_range

SECONDS = st.floats(0, 1e5)
WEIGHTS = st.floats(0.01, 1e4)


@st.composite
def busies(draw: st.DrawFn) -> Busy:
    return Busy(
        weight=draw(WEIGHTS),
        progress=draw(st.floats(0, 1)),
        seconds=draw(SECONDS),
        silent_seconds=draw(SECONDS),
        is_join=draw(st.booleans()),
    )


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """Draw sums that rows can have: weights and seconds belong to steps that there are."""
    ended, ready, joins = (draw(st.integers(0, 2000)) for _ in range(3))
    weight = draw(WEIGHTS) * ended
    seconds = draw(SECONDS) * (ended > 0)
    unevenness = draw(st.floats(1, 10))
    return Load(
        owner=draw(st.integers(0, 2)),
        priority=draw(st.integers(-1, 1)),
        max_inflight=draw(st.sampled_from([0, 0, 1, 3])),
        served_at=draw(SECONDS),
        ended=ended,
        ended_weight=weight,
        ended_seconds=seconds,
        ended_squares=seconds**2 / weight * unevenness if ended else 0.0,
        ready=ready,
        ready_weight=draw(WEIGHTS) * ready,
        joins=joins,
        joins_weight=draw(WEIGHTS) * joins,
        unplanned=draw(st.one_of(st.just(0.0), WEIGHTS)),
        running=draw(st.lists(busies(), max_size=4)),
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(loads(), min_size=1, max_size=4), st.integers(1, 8))
def test_every_job_of_any_play_begins_and_ends(jobs: list[Load], workers: int):
    courses = play(dict(enumerate(jobs)), workers)
    for load, course in zip(jobs, courses.values(), strict=True):
        assert math.isfinite(course.ends)
        assert course.ends >= 0
        assert course.starts is None or 0 <= course.starts <= course.ends
        has_work = bool(load.ready or load.joins or load.unplanned or load.running)
        assert (course.starts is not None) == has_work


@settings(deadline=None)
@given(loads(), SECONDS)
def test_a_range_is_finite_in_order_and_never_negative(load: Load, seconds: float):
    told = time_range(load, seconds)
    assume(told is not None)
    assert told is not None
    low, high = told
    assert 0 <= low <= high < math.inf
    assert high <= low * WIDEST * 1.001 or low == 0


@settings(max_examples=50, deadline=None)
@given(loads(), st.integers(1, 8), st.floats(1, 10))
def test_more_work_left_never_ends_sooner(load: Load, workers: int, factor: float):
    assume(load.ready_weight > 0)
    heavier = replace(load, ready_weight=load.ready_weight * factor)
    lighter, later = (play({1: each}, workers)[1].ends for each in (load, heavier))
    assert later >= lighter * 0.999


@settings(deadline=None)
@given(loads())
def test_nothing_is_told_before_anything_is_measured(load: Load):
    running = [replace(step, progress=0.0) for step in load.running]
    unmeasured = replace(
        load, ended=0, ended_weight=0.0, ended_seconds=0.0, ended_squares=0.0, running=running
    )
    assert time_range(unmeasured, 10.0) is None


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 0.2), st.integers(1, 40))
def test_the_rest_moves_little_between_two_updates(share: float, step: float, ready: int):
    """A step that goes on as before takes from the rest what it has done."""

    def rest(done: float) -> float:
        running = [Busy(2.0, done, seconds=4.0 * done)]
        load = Load(ended=3, ended_weight=6.0, ended_seconds=12.0, ready=ready, running=running,
                    ready_weight=2.0 * ready)  # fmt: skip
        return play({1: load}, 1)[1].ends

    after = min(1.0, share + step)
    assert rest(share) - rest(after) == pytest.approx(4.0 * (after - share), abs=0.1)


def measured(**values: float) -> Load:
    """Return a job whose four ended steps took twice their estimate."""
    known = Load(ended=4, ended_weight=8.0, ended_seconds=16.0, ended_squares=32.0)
    return replace(known, **values)  # type: ignore[arg-type]


def test_workers_share_the_steps_and_the_last_one_is_waited_for():
    job = measured(ready=5, ready_weight=10.0)
    one, two = (play({1: job}, workers)[1].ends for workers in (1, 2))
    assert one == pytest.approx(20, rel=0.1)
    assert two == pytest.approx(12, rel=0.1)  # five steps of 4 s: three rounds


def test_a_join_waits_for_its_parts():
    job = measured(ready=2, ready_weight=4.0, joins=1, joins_weight=1.0)
    assert play({1: job}, 4)[1].ends == pytest.approx(6, rel=0.1)


def test_another_owners_job_takes_half_of_the_workers_until_it_ends():
    mine = measured(owner=1, ready=20, ready_weight=40.0)
    other = measured(owner=2, ready=10, ready_weight=20.0)
    alone = play({1: mine}, 2)[1].ends
    beside = play({1: mine, 2: other}, 2)
    assert beside[1].ends == pytest.approx(alone * 1.5, rel=0.15)
    assert beside[2].ends == pytest.approx(alone, rel=0.15)


def test_a_job_of_higher_priority_goes_first():
    mine = measured(ready=10, ready_weight=20.0)
    urgent = measured(priority=5, ready=10, ready_weight=20.0)
    courses = play({1: mine, 2: urgent}, 1)
    assert courses[1].starts == pytest.approx(courses[2].ends)


def test_a_limit_of_steps_at_once_is_kept():
    job = measured(ready=8, ready_weight=16.0, max_inflight=1)
    assert play({1: job}, 4)[1].ends == pytest.approx(play({1: job}, 1)[1].ends)


def test_a_thousand_steps_are_played_as_quickly_as_some():
    job = measured(ready=100_000, ready_weight=100_000.0)
    assert play({1: job}, 2)[1].ends == pytest.approx(100_000, rel=0.2)


def test_uneven_steps_make_the_range_wider():
    even = measured(ready=20, ready_weight=40.0)
    uneven = replace(even, ended_squares=80.0)
    narrow, wide = time_range(even, 100), time_range(uneven, 100)
    assert narrow is not None
    assert wide is None or wide[1] - wide[0] > narrow[1] - narrow[0]


def test_a_silent_step_is_taken_to_go_on():
    load = measured(running=[Busy(10.0, 0.5, seconds=10.0)])  # type: ignore[arg-type]
    later = replace(load, running=[Busy(10.0, 0.5, seconds=10.0, silent_seconds=4.0)])
    assert play({1: later}, 1)[1].ends == pytest.approx(play({1: load}, 1)[1].ends - 4, abs=0.1)


@settings(max_examples=50, deadline=None)
@given(loads(), st.floats(0, 100), st.integers(1, 4))
def test_an_arrival_moves_the_answer_at_most_threefold_at_once(
    other: Load, age: float, workers: int
):
    mine = measured(owner=1, ready=6, ready_weight=12.0)
    before = foresee({1: mine}, workers)[1].ends
    arrived = foresee({1: mine, 2: replace(other, age_seconds=0.0)}, workers)[1].ends
    assert arrived <= before * 3
    sooner, later = (
        foresee({1: mine, 2: replace(other, age_seconds=at)}, workers)[1].ends
        for at in (age, age + 1)
    )
    assert later <= max(sooner * 3, before * 3) or age > 10
