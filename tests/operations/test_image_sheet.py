"""`image.sheet`: pages of small pictures with their names; a bad picture does not spoil a page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.operations.conftest import Listener, flat
from uploads.errors import InputError, RequestError
from uploads.operations import Output
from uploads.operations.options import parse_options
from uploads.operations.sheet import Sheet

Perform = Callable[..., list[Output]]


@pytest.fixture
def colours(tmp_path: Path) -> list[Path]:
    """Seven plain pictures of different colours and shapes."""
    folder = tmp_path / "in"
    folder.mkdir()
    paths = []
    for number in range(7):
        path = folder / f"picture <{number}> & more.png"
        width, height = (200, 120) if number % 2 else (90, 180)
        colour = flat(width, height, 30 * number, 255 - 30 * number, 90)
        colour.copy(interpretation="srgb").write_to_file(str(path))
        paths.append(path)
    return paths


def pages(made: list[Output]) -> list[Output]:
    return [output for output in made if output.role == "result"]


def opened(output: Output) -> Any:
    return pyvips.Image.new_from_file(str(output.path))


def test_pages_hold_as_many_as_asked_for_in_their_order(
    colours: list[Path], perform: Perform
) -> None:
    options = {"columns": 2, "rows": 2, "cell": 100, "captions": "none", "format": "png"}
    made = pages(perform("image.sheet", *colours, **options))
    assert [output.meta["pictures"] for output in made] == [4, 3]
    first, gap = opened(made[0]), 6
    assert (first.width, first.height) == (2 * 100 + 3 * gap, 2 * 100 + 3 * gap)
    for place in range(4):
        row, column = divmod(place, 2)
        at = (gap + 50 + column * (100 + gap), gap + 50 + row * (100 + gap))
        assert abs(first.getpoint(*at)[0] - 30 * place) <= 3


def test_names_are_written_below(colours: list[Path], perform: Perform) -> None:
    options = {"columns": 7, "rows": 1, "cell": 160, "format": "png"}
    bare = opened(pages(perform("image.sheet", *colours, **options, captions="none"))[0])
    named = opened(pages(perform("image.sheet", *colours, **options))[0])
    assert named.height > bare.height
    line = named.crop(0, named.height - 30, named.width, 24).colourspace("b-w")
    assert line.min() < 120 and line.avg() > 180, "dark words on a light page"


def test_words_are_light_on_a_dark_page(colours: list[Path], perform: Perform) -> None:
    options = {"columns": 7, "rows": 1, "cell": 160, "format": "png", "background": "#101418"}
    page = opened(pages(perform("image.sheet", *colours, **options))[0])
    line = page.crop(0, page.height - 30, page.width, 24).colourspace("b-w")
    assert line.max() > 150 and line.avg() < 90


def test_a_bad_picture_is_left_out_and_named(
    colours: list[Path], perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    bad = tmp_path / "in" / "broken.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing")
    made = pages(perform("image.sheet", colours[0], bad, colours[1]))
    assert made[0].meta["pictures"] == 2
    assert "broken.jpg" in listener.warnings[0]


def test_nothing_but_bad_pictures_is_an_error(perform: Perform, tmp_path: Path) -> None:
    bad = tmp_path / "broken.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing")
    with pytest.raises(InputError) as caught:
        perform("image.sheet", bad)
    assert caught.value.code == "image_damaged"


def test_the_first_page_is_shown_small(colours: list[Path], perform: Perform) -> None:
    made = perform("image.sheet", *colours)
    assert [output.role for output in made] == ["result", "preview"]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"columns": 20, "rows": 40, "cell": 2000}, "42520 × 93720"),
        ({"columns": 20, "rows": 1, "cell": 1000, "format": "webp"}, "21260 × 1230"),
    ],
)
def test_a_page_that_no_file_holds_is_refused_in_words(options: dict[str, Any], size: str) -> None:
    with pytest.raises(RequestError, match=f"a page would have {size} pixels"):
        parse_options(Sheet, options)


def test_a_full_page_is_as_large_as_was_reckoned(colours: list[Path], perform: Perform) -> None:
    options = {"columns": 2, "rows": 3, "cell": 100, "format": "png"}
    page = opened(pages(perform("image.sheet", *colours, **options))[0])
    assert (page.width, page.height) == parse_options(Sheet, options).page_size
