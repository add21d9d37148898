"""Sizes, durations and moments in words."""

from datetime import timedelta

import pytest
from django.utils import timezone

from uploads.pages.tags import ago, duration, percent, pill, plural, size
from uploads.states import ItemState, JobState, UploadState


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (8_600_000, "8.2 MB"),
        (200 * 1024**3, "200 GB"),
        (1023 * 1024**2, "1 GB"),
        (None, "0 bytes"),
    ],
)
def test_sizes(count: int | None, words: str):
    assert size(count).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (5.44, "5.4 s"),
        (48, "48 s"),
        (340, "5 min 40 s"),
        (3600, "1 h"),
        (4320, "1 h 12 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, words: str):
    assert duration(seconds).replace("\u00a0", " ") == words


def test_only_what_is_whole_is_a_hundred_percent():
    assert [percent(x) for x in (0, 0.5, 0.9999, 1)] == [0, 50, 99, 100]


def test_every_state_has_words_of_its_own():
    for state in [*JobState, *UploadState, *ItemState]:
        assert f'data-state="{state}"' in pill(state)
        assert "<svg" in pill(state)


def test_moments_are_near_or_a_date():
    now = timezone.now()
    assert "5\u00a0min ago" in ago(now - timedelta(minutes=5))
    assert "2\u00a0h ago" in ago(now - timedelta(hours=2))
    assert "ago" not in ago(now - timedelta(days=40)).split(">")[1]


def test_counts_of_things():
    assert plural(1, "file,files") == "1\u00a0file"
    assert plural(12_000, "file,files") == "12\u202f000\u00a0files"
