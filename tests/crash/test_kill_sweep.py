"""Kill every role at every durable action; after a restart all is as it would have been.

`make test` kills once at each role's every label, then at others by chance for a while
(`KILL_SEED` repeats a run); `make soak` kills at all of them. docs/internals.md says for
each label what happens, and is held to the labels that are met here.
"""

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DATABASES
from tests.support.killpoints_role import Scenario
from tests.support.killpoints_sweep import (
    DATABASE_KINDS,
    SCENARIOS,
    Counts,
    all_points,
    choose,
    kill_some,
)

INTERNALS = Path(__file__).resolve().parents[2] / "docs" / "internals.md"
SLICE_SECONDS = {"sqlite": 90.0, "postgresql": 30.0}
KINDS: dict[str, tuple[str, ...]] = {"sqlite": (), "postgresql": DATABASE_KINDS}


@pytest.fixture(scope="module")
def counts_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Counts]]:
    """Return the counted scenarios of a kind of database, the same for every test here."""
    made: dict[str, Counts] = {}

    def of(kind: str) -> Counts:
        if kind not in made:
            server = request.getfixturevalue("postgresql") if kind == "postgresql" else None
            made[kind] = Counts(server)
        return made[kind]

    yield of
    for counts in made.values():
        counts.end()


@pytest.fixture
def chance(capsys: pytest.CaptureFixture[str]) -> random.Random:
    seed = os.environ.get("KILL_SEED") or str(random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\nkill sweep: KILL_SEED={seed}")
    return random.Random(int(seed))


@pytest.mark.parametrize("kind", DATABASES)
def test_a_slice_of_all_points(
    kind: str, counts_of: Any, chance: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    counts = counts_of(kind)
    chosen = choose(counts, chance, KINDS[kind])
    counted = time.monotonic()
    killed, faults = kill_some(counts, chosen, SLICE_SECONDS[kind])
    with capsys.disabled():
        print(
            f"kill sweep: {killed} of {len(chosen)} points on {kind}, counted in "
            f"{counted - begun:.0f} s, killed in {time.monotonic() - counted:.0f} s"
        )
    assert not faults, "\n".join(faults)


@pytest.mark.soak
@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_every_point(kind: str, scenario: Scenario, counts_of: Any) -> None:
    counted = counts_of(kind).of(scenario)
    faults = []
    for point in all_points(counted, KINDS[kind]):
        faults += counted.kill_at(point) or []
    assert not faults, "\n".join(faults)


def test_the_internals_name_every_durable_action_and_no_other(counts_of: Any) -> None:
    named = set(re.findall(r"^\| `((?:uploads|project|django)\S+ \S+)`", INTERNALS.read_text(), re.M))
    met = counts_of("sqlite").labels()
    assert met - named == set(), "met, but not in docs/internals.md"
    assert named - met == set(), "in docs/internals.md, but never met"
