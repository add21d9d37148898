"""A child that died is followed by another one in the same folder."""

from collections.abc import Callable

import pytest

from uploads.models import Job, Step
from uploads.states import Lane, StepKind, StepState
from uploads.work.presence import me
from uploads.work.run import run_next
from uploads.work.scratch import Scratch

pytestmark = pytest.mark.django_db


def test_it_finds_the_parts_of_a_join_as_the_first_one_did(job_of: Callable[..., Job]) -> None:
    job = job_of("a\nb\n", operation="test.lines")
    run_next(Lane.LIGHT)
    parts = job.steps.filter(kind=StepKind.WORK)
    while not parts.exists() or parts.exclude(state=StepState.SUCCEEDED).exists():
        run_next(Lane.CPU)
    join = Step.objects.claim(Lane.CPU, me())
    assert join is not None
    assert join.kind == StepKind.JOIN
    with Scratch(join) as scratch:
        first = scratch.parts(job.items.get())
        assert scratch.parts(job.items.get()) == first
        assert [len(part["paths"]) for part in first] == [1, 1]
