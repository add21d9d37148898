"""The time left in words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uploads.models.words import time_range, whole_seconds


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 0.3, "a few seconds"),
        (2, 9, "a few seconds"),
        (9, 11, "about 10 seconds"),
        (11, 18, "10 to 20 seconds"),
        (2, 22, "less than 20 seconds"),
        (40, 62, "40 to 60 seconds"),
        (66, 95, "1 to 2 minutes"),
        (20, 100, "less than 2 minutes"),
        (55, 91, "1 to 2 minutes"),
        (185, 230, "3 to 4 minutes"),
        (290, 310, "about 5 minutes"),
        (3600, 5500, "60 to 92 minutes"),
        (5400, 7600, "2 hours"),
        (3 * 86400, 5 * 86400, "3 to 5 days"),
    ],
)
def test_ranges(low: float, high: float, words: str):
    assert time_range(low, high).removeprefix("about ") == words.removeprefix("about ")


@settings(deadline=None)
@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_words_are_never_empty_or_zero(one: float, other: float):
    words = time_range(min(one, other), max(one, other))
    assert words
    assert not words.startswith("0")
    assert "-" not in words


@settings(deadline=None)
@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_whole_seconds_hold_the_range(one: float, other: float):
    low, high = whole_seconds(min(one, other), max(one, other))
    assert 0 <= low <= min(one, other)
    assert high >= max(one, other)
    assert high >= 1
