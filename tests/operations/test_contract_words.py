"""The contract finds what an operation does wrong, and says in words how to mend it."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any
from unittest import SkipTest

import pytest

from uploads.operations.base import registered
from uploads.operations.contract import Contract
from uploads.operations.registry import find

BROKEN = [
    ("unexplained", "describes_itself", "no sentence"),
    ("no_options", "describes_itself", "“size” has no help"),
    ("no_options", "presets_are_valid_and_plainly_named", "has no preset"),
    ("empty_handed", "makes_something_of_its_example", "yields nothing"),
    ("curious", "makes_something_of_its_example", "Its example fails"),
    ("by_chance", "same_input_twice_gives_the_same_bytes", "different bytes"),
    ("untidy", "writes_only_into_its_folder", "notes.tmp behind"),
    ("elsewhere", "writes_only_into_its_folder", "step.path"),
    ("nameless", "results_bear_the_owners_name", "“source”"),
    ("silent", "tells_its_progress", "never says how far"),
    ("percent", "tells_its_progress", "not percent"),
    ("falling", "tells_its_progress", "progress falls"),
    ("silent", "stops_when_it_is_cancelled", "can't be cancelled"),
    ("deaf", "stops_when_it_is_cancelled", "Let it pass"),
    ("slow_to_stop", "stops_when_it_is_cancelled", "s to stop"),
    ("trusting", "damaged_input_ends_in_words_or_results", "InputError.because"),
    ("short_of_words", "damaged_input_ends_in_words_or_results", "step.name"),
    ("unknown_word", "damaged_input_ends_in_words_or_results", "InputError.because"),
    ("resentful", "a_bad_item_leaves_the_others_alone", "Keep no state"),
    ("undivided", "parts_are_json_with_weights", "weight above 0"),
]


@pytest.fixture(scope="module")
def bad() -> Iterator[ModuleType]:
    """Operations that break promises, in the registry only while they are looked at."""
    module = import_module("tests.operations.bad_operations")
    yield module
    for made in module.MADE.values():
        registered().pop(made.name, None)


class Judge(Contract):
    example = "one two\nthree\n"

    def __init__(self, operation: Any) -> None:
        self.operation = operation


@pytest.mark.parametrize(("name", "promise", "words"), BROKEN)
def test_a_broken_promise_is_told_in_words(
    bad: ModuleType, name: str, promise: str, words: str
) -> None:
    judge = Judge(bad.MADE[name])
    with pytest.raises(AssertionError) as told:
        getattr(judge, f"test_{promise}")()
    assert words in str(told.value)


def test_the_others_promises_of_a_broken_one_are_kept(bad: ModuleType) -> None:
    judge = Judge(bad.MADE["nameless"])
    for promise in [name for name in dir(judge) if name.startswith("test_")]:
        if promise != "test_results_bear_the_owners_name":
            getattr(judge, promise)()


def test_what_asks_a_database_says_that_there_is_none() -> None:
    judge = Judge(find("db.query"))
    judge.test_describes_itself()
    with pytest.raises(SkipTest, match="there is none here"):
        judge.test_tells_its_progress()
