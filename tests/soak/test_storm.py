"""Storms: any process is killed, stopped or told to end at any time, and all comes out right.

The full size is run by itself, on a quiet machine, and takes some 20 minutes a database:

    TIDEMILL_STORM_ROUNDS=500 .venv/bin/python -m pytest -m soak tests/soak/test_storm.py
"""

import os
from collections.abc import Callable, Iterator
from random import SystemRandom

import pytest

from tests.soak.course import course

pytestmark = pytest.mark.processes

SHORT_ROUNDS = 6
SHORT_SEED = 7


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[str], None]]:
    """Print lines at once, past pytest's capture."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)  # noqa: T201

    yield line


def test_a_short_storm_loses_nothing(say: Callable[[str], None]) -> None:
    seed = int(os.environ.get("TIDEMILL_STORM_SEED", SHORT_SEED))
    with course("", seed, say, open_jobs=3) as storm:
        storm.run(SHORT_ROUNDS)


@pytest.mark.soak
def test_a_storm_loses_nothing(database_url: str, say: Callable[[str], None]) -> None:
    seed = int(os.environ.get("TIDEMILL_STORM_SEED", SystemRandom().randrange(10**6)))
    with course(database_url, seed, say) as storm:
        storm.run(int(os.environ.get("TIDEMILL_STORM_ROUNDS", "20")))
