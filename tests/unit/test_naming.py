"""Patterns of results' names: what they give, what is refused in words."""

from dataclasses import replace
from datetime import date

import pytest

from uploads.errors import RequestError
from uploads.naming import Facts, check_pattern, result_name

PHOTO = Facts(
    "IMG_2041.jpg", 7, date(2026, 11, 22), folder="Rome", dimensions="1600x1200", preset="web"
)


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("", "IMG_2041.webp"),
        ("{name}-{n}", "IMG_2041-7.webp"),
        ("holiday-{n:3}", "holiday-007.webp"),
        ("{date} {folder} {n:2}", "2026-11-22 Rome 07.webp"),
        ("{name}_{dimensions}_{preset}", "IMG_2041_1600x1200_web.webp"),
        ("plain", "plain.webp"),
    ],
)
def test_a_pattern_is_filled_in_before_the_results_own_ending(pattern: str, named: str) -> None:
    check_pattern(pattern)
    assert result_name("source.webp", pattern, PHOTO) == named


def test_several_results_of_one_file_keep_what_tells_them_apart() -> None:
    made = ["source.webp", "source-320.webp", "source-poster.jpg", "source-0m30s.mp4"]
    assert [result_name(name, "a{n:2}", PHOTO) for name in made] == [
        "a07.webp", "a07-320.webp", "a07-poster.jpg", "a07-0m30s.mp4",
    ]  # fmt: skip


def test_what_an_operation_called_otherwise_keeps_its_name() -> None:
    assert result_name("report.json", "{n}", PHOTO) == "report.json"


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("{folder}-{name}", "IMG_2041.webp"),
        ("{name}-{dimensions}-{n}", "IMG_2041-7.webp"),
        ("{folder}", "IMG_2041.webp"),
        ("{name}--{n}", "IMG_2041--7.webp"),
    ],
)
def test_a_placeholder_with_nothing_to_say_leaves_no_hole(pattern: str, named: str) -> None:
    bare = replace(PHOTO, folder="", dimensions="")
    assert result_name("source.webp", pattern, bare) == named


@pytest.mark.parametrize("name", ["x" * 400 + ".jpg", "日" * 120 + ".jpg", ".hidden", "noending"])
def test_a_name_is_never_empty_hidden_by_us_or_longer_than_file_systems_take(name: str) -> None:
    named = result_name("source-320.webp", "{folder}{name}", replace(PHOTO, name=name, folder=""))
    assert named.endswith("-320.webp")
    assert len(named.encode()) < 255
    assert named != "-320.webp"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{nmae}-{n}", "“{nmae}” is no placeholder"),
        ("{}", "“{}” is no placeholder"),
        ("{n:x}", "“{n:x}” is not understood"),
        ("{n:0}", "“{n:0}” is not understood"),
        ("{name:3}", "“{name:3}” is not understood"),
        ("{name", "stands alone"),
        ("name}", "stands alone"),
        ("a/b", "“/” can't be"),
        ("..\\b", "“\\” can't be"),
        ("what?", "“?” can't be"),
        ("x" * 121, "more than 120"),
    ],
)
def test_what_can_not_be_a_name_is_refused_in_words(pattern: str, words: str) -> None:
    with pytest.raises(RequestError) as refused:
        check_pattern(pattern)
    assert refused.value.code == "bad_names"
    assert words in str(refused.value)
    assert "{n}" in str(refused.value) or "placeholder" not in words
