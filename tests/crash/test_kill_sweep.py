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
SLICE_SECONDS = {"sqlite": 45.0, "postgresql": 20.0}
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
def say(capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Return a way to say something even when the test passes."""

    def said(text: str) -> None:
        with capsys.disabled():
            pytestconfig.get_terminal_writer().line(f"\nkill sweep: {text}")

    return said


@pytest.mark.parametrize("kind", DATABASES)
def test_a_slice_of_all_points(kind: str, counts_of: Any, say: Callable[[str], None]) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(10**6))
    say(f"KILL_SEED={seed} repeats this run on {kind}")
    begun = time.monotonic()
    counts = counts_of(kind)
    chosen = choose(counts, seed, KINDS[kind])
    counted = time.monotonic()
    killed, faults = kill_some(counts, chosen, SLICE_SECONDS[kind])
    times = f"counted in {counted - begun:.0f} s, killed in {time.monotonic() - counted:.0f} s"
    say(f"{killed} killed of {len(chosen)} points on {kind}, {times}")
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
    rows = re.findall(r"^\| `(\S+:\S+ \S+)` \|.*\| (\w+: [^|]+) \|$", INTERNALS.read_text(), re.M)
    named = dict(rows)
    assert len(named) == len(rows), "an action is named twice"
    met = counts_of("sqlite").lives()
    for label, lives in counts_of("postgresql").lives().items():
        met.setdefault(label, set()).update(lives)
    wrong = [
        f"{label} | {sorted(met[label])} is met, but not named" for label in met.keys() - named
    ]
    wrong += [f"{label} is named, but never met" for label in named.keys() - met]
    wrong += [
        f"{label} | {life} does not meet it"
        for label, life in named.items()
        if label in met and life not in met[label]
    ]
    assert not wrong, "docs/internals.md:\n" + "\n".join(sorted(wrong))
