"""Page ranges as people write them: understood, refused in words, never beyond the document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploads.errors import InputError, RequestError
from uploads.operations.page_ranges import Pages, chosen, parse_pages

NUMBERS = st.integers(1, 500)
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS).map(sorted), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-3, 7, 10-", [(1, 3), (7, 7), (10, None)]),
        (" 2 – 4 ;5", [(2, 4), (5, 5)]),
        ("-3", [(1, 3)]),
        ("1 to 2", [(1, 2)]),
        ("", []),
        (" , ,", []),
    ],
)
def test_what_people_write(text: str, expected: list[tuple[int, int | None]]) -> None:
    assert [(pages.first, pages.last) for pages in parse_pages(text, "pages")] == expected


@pytest.mark.parametrize(
    "text", ["0", "3-1", "one", "1-2-3", "-", "1,x", "٣", "9" * 40, "1-" + "9" * 40, "0-4"]
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_pages(text, "pages")
    assert caught.value.code == "invalid_options" and caught.value.values["field"] == "pages"


def test_so_many_ranges_are_refused() -> None:
    with pytest.raises(RequestError):
        parse_pages(",".join("1" for _ in range(201)), "pages")


@given(RANGES, st.integers(1, 500))
def test_chosen_places_are_those_written_once_each_and_in_the_document(
    ranges: list[list[int]], count: int
) -> None:
    text = ", ".join(f"{first}-{last}" for first, last in ranges)
    wanted = [n for first, last in ranges for n in range(first, last + 1) if n <= count]
    if any(first > count for first, _ in ranges):
        with pytest.raises(InputError) as caught:
            chosen(text, count, "a.pdf")
        assert caught.value.code == "pdf_no_page"
    else:
        assert chosen(text, count, "a.pdf") == [n - 1 for n in dict.fromkeys(wanted)]


@given(st.text(max_size=30))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        found = parse_pages(text, "pages")
    except RequestError as error:
        assert error.code == "invalid_options"
    else:
        assert all(1 <= pages.first <= (pages.last or pages.first) for pages in found)


@given(NUMBERS, st.none() | NUMBERS)
def test_a_range_is_read_back_as_it_is_shown(first: int, length: int | None) -> None:
    pages = Pages(first, None if length is None else first + length)
    assert parse_pages(str(pages), "pages") == [pages]
