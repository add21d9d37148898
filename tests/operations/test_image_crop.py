"""`image.crop`: borders go, shapes stay around what matters, and a box is a box."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.operations.conftest import Listener, flat, halves
from uploads.errors import InputError, RequestError
from uploads.operations import Output

Perform = Callable[..., list[Output]]


def saved(image: Any, path: Path) -> Path:
    image.copy(interpretation="srgb").write_to_file(str(path))
    return path


def result(made: list[Output]) -> Any:
    return pyvips.Image.new_from_file(str(made[0].path))


@pytest.fixture
def framed(tmp_path: Path) -> Path:
    """A picture of 200 × 100 pixels with a nearly white border, 30 to the left and 20 above."""
    white = flat(300, 180, 250, 251, 250)
    noise = pyvips.Image.gaussnoise(300, 180, sigma=1, mean=0, seed=3)
    ground = (white + noise).cast("uchar")
    return saved(ground.insert(halves(200, 100), 30, 20), tmp_path / "framed.png")


def test_a_border_goes_and_a_margin_stays(framed: Path, perform: Perform) -> None:
    made = perform("image.crop", framed)
    assert (result(made).width, result(made).height) == (200, 100)
    assert result(made).getpoint(0, 0)[0] > 150 and made[1].role == "preview"
    wider = result(perform("image.crop", framed, margin=10))
    assert (wider.width, wider.height) == (220, 120)


def test_transparent_borders_go_too(tmp_path: Path, perform: Perform) -> None:
    inside = halves(80, 60).bandjoin(255)
    path = saved(inside.embed(10, 5, 120, 90), tmp_path / "clear.png")
    made = result(perform("image.crop", path))
    assert (made.width, made.height, made.bands) == (80, 60, 4)


def test_nothing_but_border_is_left_as_it_is(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    path = saved(flat(50, 40, 255, 255, 255), tmp_path / "blank.png")
    made = result(perform("image.crop", path))
    assert (made.width, made.height) == (50, 40) and "nothing but border" in listener.warnings[0]


@pytest.mark.parametrize("clear", [False, True])
def test_a_thin_line_is_no_border(clear: bool, tmp_path: Path, perform: Perform) -> None:
    ground = flat(200, 150, 255, 255, 255, *([0] if clear else []))
    ink = [20, 20, 20, *([255] if clear else [])]
    drawing = (
        ground.copy_memory()
        .draw_rect(ink, 30, 20, 140, 1)
        .draw_rect(ink, 60, 60, 50, 40, fill=True)
    )
    made = perform("image.crop", saved(drawing, tmp_path / "line.png"))
    assert (result(made).width, result(made).height) == (140, 80)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (40, 1)])
def test_what_has_hardly_a_pixel_is_left_as_it_is(
    size: tuple[int, int], suffix: str, tmp_path: Path, perform: Perform
) -> None:
    made = perform("image.crop", saved(flat(*size, 9, 9, 9), tmp_path / f"dot{suffix}"))
    assert (result(made).width, result(made).height) == size


@pytest.mark.parametrize(
    ("shape", "size"), [("1:1", (400, 400)), ("16:9", (600, 338)), ("9:16", (225, 400))]
)
def test_a_shape_is_as_large_as_the_picture_allows(
    shape: str, size: tuple[int, int], tmp_path: Path, perform: Perform
) -> None:
    path = saved(halves(600, 400), tmp_path / "wide.png")
    made = result(perform("image.crop", path, how="shape", shape=shape))
    assert (made.width, made.height) == size


@pytest.mark.parametrize(("place", "left"), [("low", 0), ("centre", 200), ("high", 400)])
def test_a_shape_lies_where_it_is_wanted(
    place: str, left: int, tmp_path: Path, perform: Perform
) -> None:
    across = pyvips.Image.xyz(600, 200)[0] / 3
    path = saved(across.bandjoin([across, across]).cast("uchar"), tmp_path / "ramp.png")
    made = result(perform("image.crop", path, how="shape", place=place))
    assert abs(made.getpoint(0, 0)[0] - left / 3) <= 1


def test_what_catches_the_eye_stays(tmp_path: Path, perform: Perform) -> None:
    grey = flat(900, 300, 120, 120, 120).copy_memory()
    path = saved(grey.draw_circle([230, 40, 40], 780, 150, 40, fill=True), tmp_path / "dot.png")
    made = result(perform("image.crop", path, how="shape"))
    assert (made.width, made.height) == (300, 300)
    assert (made[0] > 200).avg() / 255 * 90_000 > 4_500, "all of the dot"


def test_a_box_in_pixels_or_percent(tmp_path: Path, perform: Perform) -> None:
    path = saved(halves(400, 200), tmp_path / "a.png")
    made = result(perform("image.crop", path, box="150, 20, 100, 50"))
    assert (made.width, made.height) == (100, 50)
    assert made.getpoint(5, 5)[0] > 150 > made.getpoint(95, 5)[0], "red to the left of blue"
    half = result(perform("image.crop", path, box="50%, 0, 50%, 100%"))
    assert (half.width, half.height) == (200, 200)


def test_a_box_outside_of_the_picture_says_so(tmp_path: Path, perform: Perform) -> None:
    path = saved(halves(400, 200), tmp_path / "small.png")
    with pytest.raises(InputError) as caught:
        perform("image.crop", path, box="500, 0, 100, 100")
    assert "small.png" in caught.value.text and "400 × 200" in caught.value.text
    for wrong in ("1, 2, 3", "a, b, c, d", "0, 0, 0, 5"):
        with pytest.raises(RequestError):
            perform("image.crop", path, box=wrong)


def test_it_is_upright_and_without_notes(photo: Callable[..., Path], perform: Perform) -> None:
    path = photo("turned.jpg", 800, 600, 6)
    made = result(perform("image.crop", path, box="0, 0, 50%, 100%"))
    assert (made.width, made.height) == (400, 600)
    assert not made.get_typeof("orientation") or made.get("orientation") == 1
    assert made.getpoint(20, 300)[0] > 150
