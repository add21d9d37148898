"""`image.optimise`: fewer bytes, not a pixel changed; turn and colours stay, notes as asked."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.operations.conftest import Listener, flat, halves
from uploads.errors import InputError
from uploads.operations import Output, optimise_make
from uploads.operations.contract import Told

Perform = Callable[..., list[Output]]
TAKEN = "exif-ifd2-DateTimeOriginal"


def saved(image: Any, path: Path, **how: Any) -> Path:
    image.write_to_file(str(path), **how)
    return path


def opened(path: Path) -> Any:
    return pyvips.Image.new_from_file(str(path))


def noted(turn: int = 6) -> Any:
    """Return a picture with a camera's notes and a profile of its own."""
    image = halves(400, 300).icc_export(output_profile="p3", depth=8)
    image.set_type(pyvips.GValue.gint_type, "orientation", turn)
    image.set_type(pyvips.GValue.gstr_type, TAKEN, "2020:02:02 10:00:00")
    return image


@pytest.mark.parametrize(
    ("name", "how", "turn"),
    [
        ("plain.jpg", {"Q": 90}, lambda image: image),
        ("grey.jpg", {}, lambda image: image.colourspace("b-w")),
        ("cmyk.jpg", {}, lambda image: image.colourspace("cmyk")),
        ("plain.png", {"compression": 1}, lambda image: image),
        ("palette.png", {"palette": True}, lambda image: image),
        ("deep.png", {}, lambda image: image.colourspace("rgb16") + 3),
        ("clear.png", {"compression": 1}, lambda image: image.bandjoin(image[0])),
    ],
)
def test_files_become_smaller_and_no_pixel_changes(
    name: str, how: Any, turn: Callable[[Any], Any], tmp_path: Path, perform: Perform
) -> None:
    picture = turn(halves(640, 480))
    picture = picture.cast("ushort") if "deep" in name else picture
    path = saved(picture, tmp_path / name, **how)
    before, after = opened(path), opened(perform("image.optimise", path)[0].path)
    assert (tmp_path / f"source{path.suffix}").stat().st_size < path.stat().st_size
    assert (before.width, before.height, before.interpretation) == (640, 480, after.interpretation)
    assert (before - after).abs().max() == 0


@pytest.mark.parametrize("depth", ["plain", "palette", "deep", "clear"])
def test_without_oxipng_png_files_are_packed_all_the_same(
    perform: Perform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: str
) -> None:
    monkeypatch.setattr(optimise_make, "oxipng", None)
    image = noted()
    made = {
        "plain": lambda: image,
        "palette": lambda: image,
        "deep": lambda: image.colourspace("rgb16") + 3,
        "clear": lambda: image.bandjoin(image[0]),
    }[depth]()
    path = saved(made, tmp_path / "plain.png", compression=1, palette=depth == "palette")
    result = perform("image.optimise", path, metadata="strip")[0]
    before, after = opened(path), opened(result.path)
    if depth in {"plain", "clear"}:  # of the others it can't do better, and leaves them
        assert result.path.stat().st_size < path.stat().st_size
    assert after.get("orientation") == 6
    assert (before - after).abs().max() == 0


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_turn_and_colours_stay_when_notes_go(suffix: str, tmp_path: Path, perform: Perform) -> None:
    path = saved(noted(), tmp_path / f"noted{suffix}")
    before = opened(path)
    kept = opened(perform("image.optimise", path)[0].path)
    assert kept.get(TAKEN).startswith("2020:02:02")
    stripped = opened(perform("image.optimise", path, metadata="strip")[0].path)
    assert stripped.get_typeof(TAKEN) == 0
    for image in (kept, stripped):
        assert image.get("icc-profile-data") == before.get("icc-profile-data")
        seen, as_before = image.autorot(), before.autorot()
        assert (seen.width, (seen - as_before).abs().max()) == (as_before.width, 0)


def test_what_cannot_be_smaller_is_the_same_file(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    path = saved(flat(8, 8, 1, 2, 3).copy(interpretation="srgb"), tmp_path / "tiny.png")
    once = perform("image.optimise", path)[0].path.read_bytes()
    path.write_bytes(once)
    again = perform("image.optimise", path)[0].path.read_bytes()
    assert again == once and "same file" in listener.infos[-1]


def test_further_pictures_in_a_file_are_not_lost(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    path = saved(halves(200, 200), tmp_path / "motion.jpg")
    content = path.read_bytes()
    marker = b"\xff\xe2\x00\x08MPF\0\0\0"
    path.write_bytes(content[:2] + marker + content[2:] + content)
    made = perform("image.optimise", path)[0].path.read_bytes()
    assert made == path.read_bytes() and "further pictures" in listener.infos[0]
    assert listener.warnings == []


def test_whoever_wants_notes_removed_is_warned_where_they_stay(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    path = saved(halves(200, 200), tmp_path / "motion.jpg")
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"\xff\xe2\x00\x08MPF\0\0\0" + content[2:] + content)
    made = perform("image.optimise", path, metadata="strip")[0].path.read_bytes()
    assert made == path.read_bytes()
    assert "with its notes and place" in listener.warnings[0]


@pytest.mark.parametrize("name", ["motion.jpg", "progressive.jpg", "longer.png"])
def test_a_film_behind_a_picture_stays_there_or_goes_with_the_notes(
    name: str, tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    how = {"interlace": True} if "progressive" in name else {}
    path = saved(halves(200, 200), tmp_path / name, **how)
    film = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 20
    path.write_bytes(path.read_bytes() + film)
    made = perform("image.optimise", path)[0].path.read_bytes()
    assert made.endswith(film) and len(made) < path.stat().st_size
    assert listener.warnings == []
    stripped = perform("image.optimise", path, metadata="strip")[0].path.read_bytes()
    assert b"ftyp" not in stripped
    assert "5,132 bytes behind the picture" in listener.warnings[0]


@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("kind", ["plain", "cmyk", "wide"])
def test_notes_go_where_nothing_can_be_packed_better(
    kind: str, turn: int, tmp_path: Path, perform: Perform
) -> None:
    image = flat(8, 8, 90, 80, 70).copy(interpretation="srgb")
    image = {"plain": image, "cmyk": image.colourspace("cmyk")}.get(kind) or image.icc_export(
        output_profile="p3", depth=8
    )
    image.set_type(pyvips.GValue.gint_type, "orientation", turn)
    keep = "icc" if turn == 1 else "all"
    path = saved(image, tmp_path / "small.jpg", optimize_coding=True, keep=keep)
    said = b"At home, 54.1 N 10.2 E"
    comment = b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said
    content = path.read_bytes()
    path.write_bytes(content[:2] + comment + content[2:])
    made = perform("image.optimise", path, metadata="strip")[0].path
    assert said not in made.read_bytes() and made.stat().st_size < path.stat().st_size
    before, after = opened(path), opened(made)
    assert (before - after).abs().max() == 0
    assert (after.get("orientation") if after.get_typeof("orientation") else 1) == turn
    assert after.get_typeof("icc-profile-data") == before.get_typeof("icc-profile-data")


def test_zeros_behind_a_picture_are_nothing(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    path = saved(halves(200, 200), tmp_path / "padded.jpg")
    path.write_bytes(path.read_bytes() + bytes(500))
    assert perform("image.optimise", path)[0].path.read_bytes().endswith(b"\xff\xd9")


@pytest.mark.parametrize("metadata", ["keep", "strip"])
def test_sixteen_bits_that_say_what_eight_do_are_packed_as_eight(
    metadata: str, tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    deep = (halves(200, 100).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    path = saved(deep, tmp_path / "deep.png")
    result = perform("image.optimise", path, metadata=metadata)[0].path
    assert result.stat().st_size < path.stat().st_size and opened(result).format == "uchar"
    assert (opened(result) - halves(200, 100)).abs().max() == 0
    assert listener.warnings == []


def with_chunk(path: Path, kind: bytes, body: bytes) -> Path:
    """Put a chunk right behind the header of a PNG."""
    content = path.read_bytes()
    chunk = len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    path.write_bytes(content[:33] + chunk + content[33:])
    return path


def test_what_colours_come_from_stays_when_notes_go(tmp_path: Path, perform: Perform) -> None:
    gamma = with_chunk(
        saved(halves(200, 100), tmp_path / "gamma.png"), b"gAMA", (100_000).to_bytes(4, "big")
    )
    both = with_chunk(saved(noted(1), tmp_path / "both.png"), b"sRGB", b"\0")
    assert b"gAMA" in perform("image.optimise", gamma, metadata="strip")[0].path.read_bytes()
    made = perform("image.optimise", both, metadata="strip")[0].path
    assert opened(made).get("icc-profile-data") == opened(both).get("icc-profile-data")


def test_a_damaged_file_is_refused(tmp_path: Path, perform: Perform) -> None:
    for name in ("torn.jpg", "torn.png"):
        path = saved(halves(400, 300), tmp_path / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError) as caught:
            perform("image.optimise", path)
        assert caught.value.code == "image_damaged" and name in caught.value.text


def test_data_that_make_no_sense_end_in_words_and_leave_the_others_alone(
    tmp_path: Path, child: Callable[..., Told]
) -> None:
    good = saved(halves(400, 300), tmp_path / "good.jpg", Q=60)
    bad = tmp_path / "senseless.jpg"
    bad.write_bytes(senseless(good.read_bytes()))
    told = child("image.optimise", bad, good)
    (error,) = told.of("error")
    assert (error["item"], error["code"]) == ("0", "image_damaged")
    assert "out of range" in error["values"]["reason"]
    assert [done["item"] for done in told.of("done")] == ["1"]


def senseless(content: bytes) -> bytes:
    """Return a JPEG whose differences add up to more than there can be, and which still decodes."""
    at = content.index(b"\xff\xc4")
    table = bytearray(content)
    values = at + 5 + 16  # which lengths of numbers the codes of the first table stand for
    table[values : values + 4] = bytes([11, 11, 11, 11])
    return bytes(table)


def test_another_picture_is_never_shown(
    tmp_path: Path, perform: Perform, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(halves(400, 300), tmp_path / "a.jpg", Q=95)
    other = saved(halves(400, 300), tmp_path / "b.jpg", Q=40).read_bytes()
    monkeypatch.setattr(optimise_make, "_jpeg", lambda *_: other)
    assert perform("image.optimise", path)[0].path.read_bytes() == path.read_bytes()
    assert "looks different" in listener.warnings[0]
    with pytest.raises(InputError) as caught:
        perform("image.optimise", path, metadata="strip")
    assert caught.value.code == "image_damaged"
