"""`image.convert`: six ways to a size, turns, borders, and files that are small enough."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.operations.conftest import Listener, flat
from uploads.errors import InputError, RequestError
from uploads.operations import Limits, Output
from uploads.operations.image import Convert
from uploads.operations.options import parse_options

Perform = Callable[..., list[Output]]
Photo = Callable[..., Path]


def opened(output: Output) -> Any:
    return pyvips.Image.new_from_file(str(output.path))


def size(output: Output) -> tuple[int, int]:
    image = opened(output)
    assert (output.meta["width"], output.meta["height"]) == (image.width, image.height)
    return image.width, image.height


def near(pixel: list[float], colour: tuple[int, ...], by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"width": 400, "height": 400}, (400, 300)),
        ({"mode": "fill", "width": 400, "height": 400}, (400, 400)),
        ({"mode": "smart", "width": 300, "height": 400}, (300, 400)),
        ({"mode": "pad", "width": 500, "height": 400}, (500, 400)),
        ({"mode": "stretch", "width": 200, "height": 500}, (200, 500)),
        ({"mode": "percent", "percent": 25}, (200, 150)),
        ({"mode": "percent", "percent": 150}, (1200, 900)),
        ({"width": 2000, "height": 2000}, (800, 600)),
        ({"width": 2000, "height": 2000, "enlarge": True}, (2000, 1500)),
        ({"mode": "fill", "width": 1600, "height": 1600}, (600, 600)),
        ({"mode": "fill", "width": 1600, "height": 1600, "enlarge": True}, (1600, 1600)),
        ({"mode": "pad", "width": 1000, "height": 1000}, (1000, 1000)),
        ({"turn": "right"}, (600, 800)),
        ({"turn": "left", "width": 300, "height": 300}, (225, 300)),
        ({"turn": "half", "mode": "fill", "width": 100, "height": 300}, (100, 300)),
        ({"turn": "right", "mode": "fill", "width": 100, "height": 300}, (100, 300)),
    ],
)
def test_every_mode_gives_its_size(
    options: dict[str, Any], expected: tuple[int, int], photo: Photo, perform: Perform
) -> None:
    assert size(perform("image.convert", photo(), **options)[0]) == expected


def test_several_sizes_keep_the_shape_of_the_mode(photo: Photo, perform: Perform) -> None:
    options = {"mode": "pad", "width": 400, "height": 200, "sizes": (400, 100)}
    made = [o for o in perform("image.convert", photo(), **options) if o.role == "result"]
    assert {o.path.stem: size(o) for o in made} == {
        "source-400": (400, 200),
        "source-100": (100, 50),
    }


@pytest.mark.parametrize(
    ("options", "reddish"),
    [
        ({}, (100, 300)),
        ({"turn": "right"}, (300, 100)),
        ({"turn": "left"}, (300, 700)),
        ({"turn": "half"}, (700, 300)),
        ({"flip": "horizontal"}, (700, 300)),
        ({"flip": "vertical"}, (100, 300)),
        ({"turn": "right", "flip": "vertical"}, (300, 700)),
    ],
)
@pytest.mark.parametrize("camera", [1, 6])
def test_the_left_half_is_where_it_was_turned_to(
    camera: int,
    options: dict[str, Any],
    reddish: tuple[int, int],
    photo: Photo,
    perform: Perform,
) -> None:
    image = opened(perform("image.convert", photo(turn=camera), format="png", **options)[0])
    red, _, blue = image.getpoint(*reddish)
    assert red > 150 > blue


def test_a_border_has_its_colour_and_the_picture_lies_in_the_middle(
    photo: Photo, perform: Perform
) -> None:
    options = {"mode": "pad", "width": 400, "height": 400, "background": "#102030"}
    image = opened(perform("image.convert", photo(), **options)[0])
    assert near(image.getpoint(200, 10), (16, 32, 48))
    assert near(image.getpoint(200, 390), (16, 32, 48))
    assert image.getpoint(50, 200)[0] > 150


def test_a_transparent_picture_keeps_a_transparent_border_or_gets_the_colour(
    perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "mark.png"
    flat(80, 40, 200, 40, 40, 128).copy(interpretation="srgb").write_to_file(str(source))
    options = {"mode": "pad", "width": 80, "height": 80, "background": "#00ff00"}
    clear = opened(perform("image.convert", source, format="png", **options)[0])
    assert clear.getpoint(40, 2)[3] == 0 and clear.getpoint(40, 40)[3] == 128
    solid = opened(perform("image.convert", source, format="jpeg", **options)[0])
    assert near(solid.getpoint(40, 2), (0, 255, 0), 30)
    assert near(solid.getpoint(40, 40), (100, 148, 20), 30)


def test_the_small_picture_shows_the_result_with_its_border_and_ground(
    perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "clear.png"
    flat(900, 300, 0, 0, 0, 0).copy(interpretation="srgb").write_to_file(str(source))
    options = {"mode": "pad", "width": 800, "height": 800, "background": "#206040"}
    _, small = perform("image.convert", source, format="jpeg", **options)
    assert (small.role, size(small)) == ("preview", (320, 320))
    for place in ((160, 20), (160, 160)):
        assert opened(small).getpoint(*place) == pytest.approx([0x20, 0x60, 0x40], abs=4)


def test_a_grey_picture_gets_a_coloured_border(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "grey.png"
    flat(60, 30, 90).copy(interpretation="b-w").write_to_file(str(source))
    options = {"mode": "pad", "width": 60, "height": 60, "background": "#ff0000", "format": "png"}
    image = opened(perform("image.convert", source, **options)[0])
    assert near(image.getpoint(30, 2), (255, 0, 0)) and near(image.getpoint(30, 30), (90, 90, 90))


def test_smart_keeps_what_catches_the_eye(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "corner.png"
    grey, spot = flat(600, 200, 120, 120, 120), flat(80, 80, 250, 60, 30)
    grey.insert(spot, 500, 60).copy(interpretation="srgb").write_to_file(str(source))

    def redness(mode: str) -> float:
        options = {"mode": mode, "width": 200, "height": 200, "format": "png"}
        image = opened(perform("image.convert", source, **options)[0])
        return float(image[0].avg() - image[2].avg())

    assert redness("fill") < 1 < redness("smart")


@pytest.mark.parametrize("target", ["jpeg", "webp", "avif", "png"])
@pytest.mark.parametrize("most", [60, 12])
def test_a_file_is_never_larger_than_asked_for(
    target: str, most: int, photo: Photo, perform: Perform, listener: Listener
) -> None:
    made = perform("image.convert", photo(), format=target, max_kb=most)[0]
    assert made.path.stat().st_size <= most * 1000
    assert size(made)[0] <= 800
    assert listener.warnings == []
    if made.path.stat().st_size > most * 500:
        assert listener.infos == [] or "to be small enough" in listener.infos[0]


def test_the_best_quality_that_fits_is_taken(photo: Photo, perform: Perform) -> None:
    sizes = {
        quality: perform("image.convert", photo(), quality=quality)[0].path.stat().st_size
        for quality in (50, 60, 70)
    }
    most = sizes[60] // 1000 + 1
    made = perform("image.convert", photo(), quality=90, max_kb=most)[0]
    assert sizes[50] < made.path.stat().st_size <= most * 1000
    assert size(made) == (800, 600)


def test_what_can_not_be_small_enough_is_told_as_it_was_written(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    image, source = flat(400, 300, 90, 80, 70).copy(interpretation="srgb"), tmp_path / "noted.jpg"
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"x" * 60_000)
    image.jpegsave(str(source))
    made = perform("image.convert", source, metadata="keep_all", max_kb=59)[0]
    assert (made.meta["width"], made.meta["height"]) == size(made)
    assert "smaller was not possible" in listener.warnings[0]


def test_what_is_small_enough_is_left_alone(
    photo: Photo, perform: Perform, listener: Listener
) -> None:
    plain = perform("image.convert", photo())[0].path.read_bytes()
    made = perform("image.convert", photo(), max_kb=5000)[0]
    assert made.path.read_bytes() == plain and listener.infos == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "pad", "width": 100}, "A border needs a width and a height"),
        ({"mode": "stretch"}, "Stretch needs"),
        ({"mode": "percent", "sizes": [100]}, "not both"),
        ({"background": "white"}, "like #ffffff"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        parse_options(Convert, options)


@pytest.mark.parametrize(("sizes", "flags"), [((), [False]), ((320, 160), [False, True])])
def test_the_largest_result_stands_for_its_picture_however_small(
    sizes: tuple[int, ...], flags: list[bool], photo: Photo, perform: Perform
) -> None:
    made = perform("image.convert", photo("a.jpg", 400, 300), sizes=sizes)
    assert [bool(output.meta.get("preview")) for output in made] == flags
    assert all(output.role == "result" for output in made), "a small one needs no other preview"


@pytest.mark.parametrize(
    ("target", "width", "most"),
    [("webp", 16_384, "16383"), ("avif", 16_385, "16384"), ("jpeg", 65_501, "65500")],
)
def test_what_is_longer_than_its_format_holds_is_refused_in_words(
    target: str, width: int, most: str, perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "long.png"
    flat(width, 3, 1, 2, 3).copy(interpretation="srgb").write_to_file(str(source))
    with pytest.raises(InputError, match=f"{target.upper()} holds at most {most} a side"):
        perform("image.convert", source, format=target)
    if target == "webp":
        with pytest.raises(InputError, match="WEBP holds at most"):
            perform("image.watermark", source, format=target)
    made = perform("image.convert", source, format="png")[0]
    assert (made.meta["width"], made.meta["height"]) == (width, 3)
    fitted = perform("image.convert", source, format=target, width=16_000)[0]
    assert fitted.meta["width"] == 16_000


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "percent", "percent": 400},
        {"mode": "stretch", "width": 500, "height": 400},
        {"mode": "pad", "width": 500, "height": 400},
        {"width": 500, "enlarge": True},
    ],
)
def test_what_would_have_too_many_pixels_is_refused_in_words(
    options: Any, photo: Photo, perform: Perform
) -> None:
    limits = Limits(image_max_pixels=100_000)
    source = photo("a.png", 320, 240)
    assert perform("image.convert", source, limits=limits)[0].meta["width"] == 320
    with pytest.raises(InputError, match=r"would become .* at most 0\.1 megapixels"):
        perform("image.convert", source, limits=limits, **options)


def test_a_strip_has_at_least_a_pixel(photo: Photo, perform: Perform) -> None:
    options = {"mode": "fill", "width": 16_384, "height": 16, "sizes": [16]}
    made = perform("image.convert", photo("a.png", 320, 240), **options)[0]
    assert (made.meta["width"], made.meta["height"]) == (16, 1)


@pytest.mark.parametrize("operation", ["image.convert", "image.watermark", "image.sheet"])
def test_what_editors_store_behind_the_colours_is_left_out(
    operation: str, perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "masks.tif"
    layers = flat(90, 60, 200, 40, 40, 255, 0, 9)
    layers.copy(interpretation="srgb").tiffsave(str(source))
    options = {"captions": "none", "columns": 1} if operation == "image.sheet" else {}
    made = perform(operation, source, **options)[0]
    image = pyvips.Image.new_from_file(str(made.path))
    assert image.bands == 3
    seen = image.getpoint(image.width // 2, image.height // 2)
    assert seen[0] > 180 > 60 > seen[1]
