"""Marks on pictures: where they stand, how large, how strong; logos; the real, shut-in child."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.operations.conftest import ROOT, Listener, Told, flat
from uploads.errors import RequestError
from uploads.operations import Context, Output
from uploads.operations.watermark import Watermark, watermark

Perform = Callable[..., list[Output]]
WITHOUT_FONTS = """
import sys
from pathlib import Path
from uploads.operations import Context
from uploads.operations.watermark import Watermark, watermark
list(watermark.run(Path(sys.argv[1]), Context(Watermark(), Path(sys.argv[2]))))
"""


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    path = tmp_path / "grey.png"
    flat(600, 400, 120, 120, 120).copy(interpretation="srgb").write_to_file(str(path))
    return path


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    """A red square with a transparent frame."""
    inner = flat(60, 60, 220, 20, 20, 255).embed(20, 20, 100, 100)
    path = tmp_path / "logo.png"
    inner.copy(interpretation="srgb").write_to_file(str(path))
    return path


def changed(path: Path, before: Path) -> tuple[int, int, int, int]:
    """Return left, top, width and height of what differs clearly."""
    after, first = (pyvips.Image.new_from_file(str(p)).extract_band(0) for p in (path, before))
    found: tuple[int, int, int, int] = ((after - first).abs() > 12).find_trim(background=0)
    return found


def with_logo(source: Path, logo: Path, folder: Path, **options: Any) -> Path:
    step = Context(Watermark(logo=logo, **options), folder, name=source.name)
    (made, _) = watermark.run(source, step)
    assert isinstance(made, Output)
    return made.path


@pytest.mark.parametrize(
    ("place", "x", "y"),
    [("top-left", 0.2, 0.2), ("centre", 0.5, 0.5), ("bottom-right", 0.8, 0.85), ("left", 0.2, 0.5)],
)
def test_the_mark_stands_where_it_should(
    place: str, x: float, y: float, grey: Path, perform: Perform
) -> None:
    (made, preview) = perform("image.watermark", grey, place=place, format="png")
    left, top, width, height = changed(made.path, grey)
    assert (left + width / 2) / 600 == pytest.approx(x, abs=0.1)
    assert (top + height / 2) / 400 == pytest.approx(y, abs=0.15)
    assert preview.role == "preview"


def test_its_size_is_a_share_of_the_picture(grey: Path, perform: Perform) -> None:
    made = perform("image.watermark", grey, size=50, format="png", place="centre", opacity=100)
    assert changed(made[0].path, grey)[2] == pytest.approx(300, abs=25)


def test_everywhere_leaves_no_corner_free(grey: Path, perform: Perform) -> None:
    (made, _) = perform("image.watermark", grey, place="everywhere", opacity=100, format="png")
    image = pyvips.Image.new_from_file(str(made.path)).extract_band(0)
    for x in (0, 300):
        for y in (0, 200):
            assert (image.crop(x, y, 300, 200) - 120).abs().max() > 60


def test_a_logo_is_laid_over_with_its_transparent_parts(
    grey: Path, logo: Path, tmp_path: Path
) -> None:
    options = {"place": "centre", "size": 50, "opacity": 100, "format": "png"}
    made = pyvips.Image.new_from_file(str(with_logo(grey, logo, tmp_path, **options)))
    assert made.getpoint(300, 200)[:3] == pytest.approx([220, 20, 20], abs=3)
    assert made.getpoint(165, 65)[:3] == pytest.approx([120, 120, 120], abs=1)  # its clear frame


def test_opacity_mixes_the_mark_with_the_picture(grey: Path, logo: Path, tmp_path: Path) -> None:
    options = {"place": "centre", "opacity": 50, "format": "png"}
    made = pyvips.Image.new_from_file(str(with_logo(grey, logo, tmp_path, **options)))
    assert made.getpoint(300, 200)[0] == pytest.approx(170, abs=3)


def test_a_tall_logo_is_made_to_fit(grey: Path, tmp_path: Path) -> None:
    tall = tmp_path / "tall.png"
    flat(50, 900, 0, 0, 255).copy(interpretation="srgb").write_to_file(str(tall))
    path = with_logo(grey, tall, tmp_path, size=100, margin=0, format="png")
    assert changed(path, grey)[3] <= 400


def test_the_picture_keeps_its_size_kind_and_turn(
    photo: Callable[..., Path], perform: Perform
) -> None:
    (made, _) = perform("image.watermark", photo(turn=6))
    image = pyvips.Image.new_from_file(str(made.path))
    assert (image.width, image.height) == (800, 600)
    assert made.path.suffix == ".jpg"


def test_grey_and_transparent_pictures_stay_right(tmp_path: Path, perform: Perform) -> None:
    plain = tmp_path / "plain.png"
    flat(300, 200, 90).copy(interpretation="b-w").write_to_file(str(plain))
    clear = tmp_path / "clear.png"
    flat(300, 200, 10, 20, 30, 0).copy(interpretation="srgb").write_to_file(str(clear))
    made = pyvips.Image.new_from_file(str(perform("image.watermark", plain)[0].path))
    assert made.getpoint(5, 5)[:3] == [90, 90, 90]
    made = pyvips.Image.new_from_file(str(perform("image.watermark", clear)[0].path))
    assert made.hasalpha()
    assert made.getpoint(5, 5)[3] == 0


def test_a_heic_becomes_a_jpeg(photo: Callable[..., Path], perform: Perform) -> None:
    assert perform("image.watermark", photo("phone.heic"))[0].path.suffix == ".jpg"


def test_only_the_first_picture_of_an_animation(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    frames = flat(40, 30, 0, 0, 0).join(flat(40, 30, 255, 255, 255), "vertical").copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 30)
    frames.copy(interpretation="srgb").write_to_file(str(tmp_path / "blink.gif"))
    perform("image.watermark", tmp_path / "blink.gif")
    assert listener.warnings == ["Only the first of 2 pictures in the file was marked."]


def test_markup_in_the_text_is_text(grey: Path, perform: Perform) -> None:
    made = perform("image.watermark", grey, text="<b>&amp;</b>", format="png")
    assert changed(made[0].path, grey)[2] > 50


def test_nothing_to_draw_is_refused_in_words() -> None:
    with pytest.raises(RequestError, match="A logo or a text is needed"):
        Watermark(text="  ")


def test_a_server_without_fonts_says_so(grey: Path, tmp_path: Path) -> None:
    """Fontconfig reads its settings once, so this takes a process of its own."""
    (settings := tmp_path / "fonts.conf").write_text('<?xml version="1.0"?><fontconfig/>')
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_FONTS, str(grey), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "FONTCONFIG_FILE": str(settings)},
        timeout=60,
        check=False,
    )
    assert "no font is installed on the server" in told.stderr


def test_the_shut_in_child_finds_its_fonts(grey: Path, child: Callable[..., Told]) -> None:
    told = child("image.watermark", grey, options={"format": "png", "opacity": 100})
    assert told.codes == []
    made = Path(told.of("output")[0]["path"])
    left, _, width, _ = changed(made, grey)
    assert (left > 300, width > 100) == (True, True)
