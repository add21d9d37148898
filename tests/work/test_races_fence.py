"""Two holders of one step, the old token and the new one: whatever the order, one commit."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.holders import Actor, errors, finish, in_turns
from tests.support.invariants import assert_consistent
from uploads.errors import LeaseLost
from uploads.models import Job, Step
from uploads.states import JobState, Lane, StepKind, StepState
from uploads.work.perform import perform
from uploads.work.presence import me
from uploads.work.recover import abandon

pytestmark = pytest.mark.django_db(transaction=True)

JobOf = Callable[..., Job]
AT_ONCE = 25
# A holder passes about so many points; beyond its last one it has simply ended.
POINTS = 32
BEFORE_COMMIT = 4


def claim(lane: Lane) -> Step:
    step = Step.objects.claim(lane, me())
    assert step is not None
    return step


def take_over(step: Step) -> None:
    """Do as the sweep and then another worker do, who believe the first one dead."""
    abandon(step)
    again = Step.objects.filter(pk=step.pk, state=StepState.READY).exists()
    if again:
        finish(claim(Lane.CPU))


def double_run(step: Step, old_stops: int, new_stops: int) -> str:
    """Run the step under two tokens, each held at its point; return which one committed."""
    old = Actor(lambda: finish(step), old_stops)
    new = Actor(lambda: take_over(step), new_stops)
    in_turns(old, new)
    lost = errors([old, new], LeaseLost)
    after = Step.objects.get(pk=step.pk)
    assert after.state == StepState.SUCCEEDED
    assert after.results.count() == 1
    assert after.job.events.filter(kind="step_done", body__step=step.pk).count() == 1
    kept = after.lease_token == step.lease_token
    assert len(lost) == (0 if kept else 1)
    return "old" if kept else "new"


@pytest.mark.parametrize("runs", [50, pytest.param(1000, marks=pytest.mark.soak)])
def test_double_runs_of_a_step_are_single_commits(
    job_of: JobOf, settings: object, runs: int
) -> None:
    settings.TIDEMILL_STEP_SECONDS = 0.1  # type: ignore[attr-defined]  # one item a step
    chance = random.Random(runs)
    winners: Counter[str] = Counter()
    for first in range(0, runs, AT_ONCE):
        job = job_of(*(f"text {number}" for number in range(AT_ONCE)))
        perform(claim(Lane.LIGHT))
        assert job.steps.filter(kind=StepKind.WORK).count() == AT_ONCE
        for number in range(first, first + AT_ONCE):
            old_stops = number % POINTS  # each point of the old one is met
            winners[double_run(claim(Lane.CPU), old_stops, chance.randrange(2 * POINTS))] += 1
        job.refresh_from_db()
        assert (job.state, job.items_done) == (JobState.SUCCEEDED, AT_ONCE)
        assert job.results.count() == AT_ONCE
        assert_consistent(at_rest=True)
        job.remove("alice")
    assert winners.total() == runs
    assert min(winners["old"], winners["new"]) > runs / 20
