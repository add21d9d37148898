"""`image.zoom`: tiles that make up the very picture, found by their index, whatever its size."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import pyvips

from tests.operations.conftest import Listener, flat, halves
from uploads.errors import Cancelled, InputError
from uploads.operations import Limits, Output

Perform = Callable[..., list[Output]]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of an odd size, no two tiles of which are alike."""
    place = pyvips.Image.xyz(1301, 777)
    bands = place[0].bandjoin([place[1], place[0] + place[1]]) / 8
    path = tmp_path / "map.png"
    bands.cast("uchar").copy(interpretation="srgb").write_to_file(str(path))
    return path


def tiles(made: Output) -> Iterator[bytes]:
    """Yield each tile from where the index says that it is."""
    content = made.path.read_bytes()
    at, size = made.meta["zoom"]["index"]
    for offset, length in struct.iter_unpack("<QI", content[at : at + size]):
        yield content[offset : offset + length]


def opened(content: bytes) -> Any:
    return pyvips.Image.new_from_buffer(content, "")


@pytest.mark.parametrize(("width", "height"), [(1301, 777), (256, 256), (1, 300), (257, 1)])
def test_the_tiles_of_the_last_level_are_the_picture(
    width: int, height: int, picture: Path, perform: Perform
) -> None:
    whole = pyvips.Image.new_from_file(str(picture)).crop(0, 0, width, height).copy_memory()
    path = picture.with_name("cut.png")
    whole.write_to_file(str(path))
    made = perform("image.zoom", path, format="png", tile=256)[0]
    assert (made.meta["width"], made.meta["height"]) == (width, height)
    across, down = -(-width // 256), -(-height // 256)
    last = [opened(content) for content in tiles(made)][-across * down :]
    again = pyvips.Image.arrayjoin(last, across=across, halign="low", valign="low")
    again = again.crop(0, 0, width, height) if across * down > 1 else last[0]
    assert (again.width, again.height) == (width, height)
    assert (again != whole).max() == 0


def test_each_level_is_half_of_the_next(picture: Path, perform: Perform) -> None:
    made = perform("image.zoom", picture, tile=512)[0]
    found = [opened(content) for content in tiles(made)]
    assert (found[0].width, found[0].height) == (1, 1)
    # 1, 2, 4 … 512 pixels wide are one tile each; 651 × 389 are two, 1301 × 777 are six.
    assert made.meta["zoom"]["tiles"] == len(found) == 10 + 2 + 6
    assert (found[10].width, found[11].width) == (512, 651 - 512)


def test_other_viewers_find_what_they_know(picture: Path, perform: Perform) -> None:
    made = perform("image.zoom", picture, tile=512)[0]
    with ZipFile(made.path) as archive:
        names = archive.namelist()
        described = archive.read("picture.dzi").decode()
        assert archive.testzip() is None
    assert 'TileSize="512"' in described and 'Width="1301"' in described
    assert "picture_files/11/2_1.jpg" in names and "picture_files/0/0_0.jpg" in names
    assert all(name.startswith(("picture.", "picture_files/")) for name in names)


def test_what_a_camera_turned_comes_out_upright(
    photo: Callable[..., Path], perform: Perform
) -> None:
    made = perform("image.zoom", photo("turned.jpg", 800, 600, 6), format="png", tile=1024)[0]
    whole = opened(list(tiles(made))[-1])
    assert (whole.width, whole.height) == (800, 600)
    assert whole.getpoint(40, 300)[0] > 150 > whole.getpoint(760, 300)[0], "red is left"


def test_transparent_parts_stay_or_become_white(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "clear.png"
    clear = flat(60, 40, 10, 10, 10).bandjoin(0)
    clear.copy(interpretation="srgb").write_to_file(str(path))
    as_png = opened(list(tiles(perform("image.zoom", path, format="png")[0]))[-1])
    assert as_png.bands == 4 and as_png[3].max() == 0
    as_jpeg = opened(list(tiles(perform("image.zoom", path)[0]))[-1])
    assert as_jpeg.bands == 3 and as_jpeg.avg() > 250


def test_a_small_picture_shows_the_whole(picture: Path, perform: Perform) -> None:
    made = perform("image.zoom", picture)
    assert [output.role for output in made] == ["result", "preview"]
    assert made[1].path.name == "source-zoom-preview.jpg"
    assert abs(made[1].meta["width"] / made[1].meta["height"] - 1301 / 777) < 0.03


def test_what_is_read_in_stripes_may_be_larger(
    photo: Callable[..., Path], perform: Perform
) -> None:
    limits = Limits(image_max_pixels=1000, zoom_max_pixels=1_000_000)
    assert perform("image.zoom", photo(), limits=limits)
    with pytest.raises(InputError) as caught:
        perform("image.zoom", photo("turned.jpg", 800, 600, 6), limits=limits)
    assert caught.value.code == "image_too_large" and "turned.jpg" in caught.value.text
    with pytest.raises(InputError) as caught:
        perform("image.zoom", photo(), limits=Limits(zoom_max_pixels=1000))
    assert caught.value.code == "image_too_large"


def test_a_damaged_picture_is_cut_as_far_as_it_goes(
    photo: Callable[..., Path], tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    torn = tmp_path / "torn.jpg"
    content = photo().read_bytes()
    torn.write_bytes(content[: len(content) // 2])
    made = perform("image.zoom", torn)
    assert made[0].meta["zoom"]["tiles"] > 1
    assert "damaged" in listener.warnings[0]


def test_progress_rises_and_a_cancel_ends_it(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    path = tmp_path / "large.jpg"
    halves(3000, 2000).write_to_file(str(path))
    perform("image.zoom", path)
    assert listener.fractions == sorted(listener.fractions) and len(listener.fractions) > 20
    listener.raises = Cancelled
    with pytest.raises(Cancelled):
        perform("image.zoom", path)
