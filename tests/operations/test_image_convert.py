"""`image.convert`: formats, sizes, colours, rotation, metadata, and what it refuses."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
import pyvips

from tests.operations.conftest import Listener, flat, halves
from uploads.errors import InputError, RequestError
from uploads.operations import Limits, Output
from uploads.operations.image import Convert
from uploads.operations.options import parse_options

Perform = Callable[..., list[Output]]
Photo = Callable[..., Path]


def opened(output: Output) -> Any:
    return pyvips.Image.new_from_file(str(output.path))


def left_and_right(image: Any) -> tuple[list[float], list[float]]:
    """Return the mean colours of the two halves, first three bands."""
    width = image.width // 2
    parts = image.crop(0, 0, width, image.height), image.crop(width, 0, width, image.height)
    means = [[part[band].avg() for band in range(3)] for part in parts]
    return means[0], means[1]


def assert_upright(image: Any) -> None:
    left, right = left_and_right(image)
    assert left[0] > 150 > left[2]
    assert right[2] > 150 > right[0]


@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize(
    "source", ["a.jpg", "a.png", "a.webp", "a.avif", "a.tif", "a.gif", "a.heic"]
)
def test_converts_every_format(source: str, target: str, photo: Photo, perform: Perform) -> None:
    result = perform("image.convert", photo(source, 320, 240), format=target)[0]
    image = opened(result)
    loader = {"avif": "heifload"}.get(target, f"{target}load")
    assert image.get("vips-loader") == loader
    assert (image.width, image.height) == (320, 240)
    assert_upright(image)


@pytest.mark.parametrize(
    ("source", "suffix"),
    [
        ("a.jpg", ".jpg"),
        ("a.png", ".png"),
        ("a.tif", ".tif"),
        ("a.gif", ".gif"),
        ("a.heic", ".jpg"),
    ],
)
def test_same_keeps_the_format(source: str, suffix: str, photo: Photo, perform: Perform) -> None:
    assert perform("image.convert", photo(source, 320, 240), format="same")[0].path.suffix == suffix


def test_several_sizes_in_one_pass(photo: Photo, perform: Perform) -> None:
    outputs = perform("image.convert", photo(), sizes=[320, 640, 50])
    assert [(o.path.name, o.meta["width"], o.meta["height"]) for o in outputs] == [
        ("source-640.jpg", 640, 480),
        ("source-320.jpg", 320, 240),
        ("source-50.jpg", 50, 38),
    ]
    assert outputs[0].meta["source_width"] == 800
    assert outputs[0].meta["source_bytes"] == photo().stat().st_size


def test_nothing_is_enlarged(photo: Photo, perform: Perform) -> None:
    fitted = perform("image.convert", photo(), sizes=[4000])[0]
    assert (fitted.meta["width"], fitted.meta["height"]) == (800, 600)
    filled = perform("image.convert", photo(), mode="fill", width=2000, height=1000)[0]
    assert (filled.meta["width"], filled.meta["height"]) == (800, 400)


def test_fill_crops_around_the_middle(photo: Photo, perform: Perform) -> None:
    result = perform("image.convert", photo(), mode="fill", width=200, height=200)[0]
    image = opened(result)
    assert (image.width, image.height) == (200, 200)
    assert_upright(image)


def test_fill_with_sizes_keeps_its_shape(photo: Photo, perform: Perform) -> None:
    outputs = perform(
        "image.convert", photo(), mode="fill", width=600, height=300, sizes=[400, 100]
    )
    assert [(o.meta["width"], o.meta["height"]) for o in outputs[:2]] == [(400, 200), (100, 50)]


def test_fill_without_a_shape_is_refused() -> None:
    with pytest.raises(RequestError, match="Fill needs a width and a height"):
        parse_options(Convert, {"mode": "fill", "width": 100})


@pytest.mark.parametrize("name", ["turned.jpg", "turned.tif"])
def test_a_turn_in_exif_is_applied_once(name: str, photo: Photo, perform: Perform) -> None:
    result = perform("image.convert", photo(name, 320, 240, turn=6), metadata="keep_all")[0]
    image = opened(result)
    assert (image.width, image.height) == (320, 240)
    assert image.get("orientation") == 1 if image.get_typeof("orientation") else True
    assert_upright(image)


@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("edge", [99, 320, 555, 800, 1000])
def test_what_is_shrunk_while_decoding_has_the_exact_size_and_looks_alike(
    edge: int, turn: int, photo: Photo, perform: Perform
) -> None:
    """Odd edges round in the middle of a block; a picture decoded whole says what is right."""
    source = photo("odd.jpg", 1601, 1203, turn=turn)
    whole = pyvips.Image.new_from_file(str(source)).autorot()
    right = whole.thumbnail_image(edge, height=edge)
    image = opened(perform("image.convert", source, width=edge, format="png")[0])
    assert (image.width, image.height) == (right.width, right.height)
    assert (image.width, image.height) == (edge, round(1203 * edge / 1601))
    assert_upright(image)
    difference = image - right
    assert (difference * difference).avg() < 255**2 / 10**4  # 40 dB


def test_a_strip_keeps_its_ratio(photo: Photo, perform: Perform) -> None:
    """Decoded at an eighth it has four whole rows of its 39, which would make three instead of four."""
    image = opened(perform("image.convert", photo("strip.jpg", 3001, 39), width=300)[0])
    assert (image.width, image.height) == (300, 4)


@pytest.mark.parametrize("mode", ["fill", "smart", "stretch"])
def test_a_shape_is_filled_by_what_was_shrunk_while_decoding(
    mode: str, photo: Photo, perform: Perform
) -> None:
    source = photo("odd.jpg", 1601, 1203)
    image = opened(perform("image.convert", source, width=200, height=400, mode=mode)[0])
    assert (image.width, image.height) == (200, 400)


def with_place(path: Path) -> Path:
    image = halves(200, 100)
    text = pyvips.GValue.gstr_type
    image.set_type(text, "exif-ifd0-Model", "Pinhole 1")
    image.set_type(text, "exif-ifd3-GPSLatitude", "54/1 10/1 0/1")
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x>exif:GPSLatitude</x>")
    image.jpegsave(str(path))
    return path


@pytest.mark.parametrize(
    ("metadata", "camera", "place"),
    [("strip", False, False), ("keep", True, False), ("keep_all", True, True)],
)
def test_the_place_goes_unless_all_is_kept(
    metadata: str, camera: bool, place: bool, perform: Perform, tmp_path: Path
) -> None:
    source = with_place(tmp_path / "place.jpg")
    result = perform("image.convert", source, metadata=metadata)[0]
    fields = opened(result).get_fields()
    assert ("exif-ifd0-Model" in fields) is camera
    assert any("GPS" in field for field in fields) is place
    assert (b"GPS" in result.path.read_bytes()) is place


IPTC = b"".join(
    b"\x1c\x02" + bytes([dataset]) + len(text).to_bytes(2, "big") + text
    for dataset, text in ((80, b"Ada"), (90, b"Lisbon"), (101, b"Portugal"), (116, b"(c) Ada"))
)


@pytest.mark.parametrize("metadata", ["keep", "keep_all"])
def test_names_of_places_go_unless_all_is_kept(
    metadata: str, perform: Perform, tmp_path: Path
) -> None:
    image, source = halves(200, 100), tmp_path / "named.jpg"
    block = b"Photoshop 3.0\0008BIM\x04\x04\0\0" + len(IPTC).to_bytes(4, "big") + IPTC
    image.set_type(pyvips.GValue.blob_type, "iptc-data", block)
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<photoshop:City>Faro</photoshop:City>")
    image.jpegsave(str(source))
    made = perform("image.convert", source, metadata=metadata)[0].path.read_bytes()
    assert b"(c) Ada" in made
    places = [word in made for word in (b"Lisbon", b"Portugal", b"Faro")]
    assert places == [metadata == "keep_all"] * 3


def test_notes_of_a_heic_stay_if_all_is_kept(perform: Perform, tmp_path: Path) -> None:
    image, source = halves(64, 48), tmp_path / "noted.heic"
    heif = pillow_heif.from_bytes("RGB", (64, 48), image.write_to_memory())
    heif.save(source, quality=90, xmp=b"<x>exif:GPSLatitude</x>")
    kept = opened(perform("image.convert", source, metadata="keep_all")[0])
    assert b"GPSLatitude" in kept.get("xmp-data")
    assert (
        "xmp-data" not in opened(perform("image.convert", source, metadata="keep")[0]).get_fields()
    )


def test_wide_colours_come_out_as_srgb(perform: Perform, tmp_path: Path) -> None:
    pure = flat(64, 64, 0, 200, 0).copy(interpretation="srgb")
    wide = pure.icc_transform("p3", input_profile="srgb", embedded=False)
    source = tmp_path / "wide.png"
    wide.write_to_file(str(source))
    stored = pyvips.Image.new_from_file(str(source))
    assert stored(3, 3)[0] > 50, "the fixture holds other numbers than sRGB's"
    red, green, blue = opened(perform("image.convert", source, format="png")[0])(3, 3)[:3]
    assert (red, green, blue) == pytest.approx((0, 200, 0), abs=8)


def test_wide_colours_that_are_named_after_srgb_come_out_right(
    perform: Perform, tmp_path: Path
) -> None:
    """As programs of Android name them: “Display P3 Gamut with sRGB Transfer”."""
    pure = flat(64, 64, 0, 200, 0).copy(interpretation="srgb")
    wide = pure.icc_transform("p3", input_profile="srgb", embedded=False)
    profile = bytes(wide.get("icc-profile-data"))
    named = profile.replace("sP3C".encode("utf-16-be"), "sRGB".encode("utf-16-be"))
    assert named != profile
    wide.set_type(pyvips.GValue.blob_type, "icc-profile-data", named)
    source = tmp_path / "android.png"
    wide.write_to_file(str(source))
    red, green, blue = opened(perform("image.convert", source, format="png")[0])(3, 3)[:3]
    assert (red, green, blue) == pytest.approx((0, 200, 0), abs=8)


def test_srgb_is_left_alone(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "usual.png"
    halves(64, 64).icc_export(output_profile="srgb", depth=8).write_to_file(str(source))
    before, after = (
        opened(Output(source)),
        opened(perform("image.convert", source, format="png")[0]),
    )
    assert (before - after).abs().max() == 0


def test_cmyk_becomes_ordinary_colours(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "print.jpg"
    image = flat(64, 64, 0, 255, 255, 0)
    image.copy(interpretation="cmyk").jpegsave(str(source))
    result = opened(perform("image.convert", source, format="png")[0])
    assert result.interpretation == "srgb"
    red, green, blue = result(3, 3)[:3]
    assert red > 150 > max(green, blue)


@pytest.mark.parametrize("target", ["jpeg", "png"])
def test_dots_an_inch_stay_when_notes_go(target: str, perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "scan.tif"
    page = halves(120, 90).icc_export(output_profile="srgb", depth=8)
    page.copy(xres=300 / 25.4, yres=300 / 25.4).tiffsave(str(source))
    made = perform("image.convert", source, format=target)[0]
    assert opened(made).xres * 25.4 == pytest.approx(300, abs=0.1)
    assert not opened(made).get_typeof("icc-profile-data")


def test_transparency_becomes_white_in_jpeg(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "clear.png"
    flat(64, 64, 0, 0, 0, 0).copy(interpretation="srgb").write_to_file(str(source))
    assert opened(perform("image.convert", source, format="jpeg")[0])(3, 3)[:3] == [255.0] * 3
    assert opened(perform("image.convert", source, format="webp")[0]).hasalpha()


def animation(path: Path, frames: int) -> Path:
    pages = [halves(60, 40).rot180() if n % 2 else halves(60, 40) for n in range(frames)]
    strip = pyvips.Image.arrayjoin(pages, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", 40)
    strip.write_to_file(str(path))
    return path


def test_animations_stay_animated_where_the_format_can(perform: Perform, tmp_path: Path) -> None:
    source = animation(tmp_path / "a.gif", 5)
    result = perform("image.convert", source, format="webp", sizes=[30])[0]
    assert opened(result).get("n-pages") == 5
    assert (result.meta["width"], result.meta["height"]) == (30, 20)


def test_a_still_of_an_animation_says_so(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    result = perform("image.convert", animation(tmp_path / "a.gif", 5), format="jpeg")[0]
    assert (result.meta["width"], result.meta["height"]) == (60, 40)
    assert listener.warnings == ["Only the first of 5 pictures in the file was converted."]


def moving_png(path: Path, frames: int) -> Path:
    """Write a PNG that says of itself that it moves."""
    flat(60, 40, 9, 99, 199).copy(interpretation="srgb").write_to_file(str(path))
    content, body = path.read_bytes(), b"acTL" + struct.pack(">II", frames, 0)
    chunk = struct.pack(">I", 8) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(content[:33] + chunk + content[33:])
    return path


@pytest.mark.parametrize("operation", ["image.convert", "image.crop", "image.watermark"])
def test_a_still_of_a_moving_png_says_so(
    operation: str, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    perform(operation, moving_png(tmp_path / "a.png", 7))
    assert "Only the first of 7 pictures in the file" in listener.warnings[0]


def test_too_many_frames_are_refused(perform: Perform, tmp_path: Path) -> None:
    source = animation(tmp_path / "a.gif", 5)
    with pytest.raises(InputError, match="5 frames; at most 4"):
        perform("image.convert", source, limits=Limits(image_max_frames=4), format="webp")


def test_quality_weighs_size(photo: Photo, perform: Perform) -> None:
    small, large = (
        perform("image.convert", photo(), quality=quality)[0].path.stat().st_size
        for quality in (20, 95)
    )
    assert small * 3 < large


def test_a_preview_comes_with_large_results(photo: Photo, perform: Perform) -> None:
    outputs = perform("image.convert", photo())
    assert [o.role for o in outputs] == ["result", "preview"]
    assert max(outputs[1].meta["width"], outputs[1].meta["height"]) == 320


def test_a_small_result_is_its_own_preview(photo: Photo, perform: Perform) -> None:
    outputs = perform("image.convert", photo(), sizes=[640, 320])
    assert [(o.role, o.meta.get("preview", False)) for o in outputs] == [
        ("result", False),
        ("result", True),
    ]


def bomb(path: Path, side: int) -> Path:
    """Write a PNG that claims a huge size in a few kilobytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    row = b"\0" + bytes((side + 7) // 8)
    body = zlib.compress(row * 50, 9)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )
    return path


def test_a_huge_picture_is_refused_by_its_header(perform: Perform, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="50000 × 50000 pixels; at most 200 megapixels") as caught:
        perform("image.convert", bomb(tmp_path / "bomb.png", 50_000))
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.heic"])
def test_a_file_that_ends_early_is_done_with_a_warning_or_refused(
    name: str, photo: Photo, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    whole = photo(name, 800, 600).read_bytes()
    source = tmp_path / f"cut-{name}"
    source.write_bytes(whole[: len(whole) * 6 // 10])
    try:
        result = perform("image.convert", source)[0]
    except InputError as error:
        assert error.code == "image_damaged"
        assert name not in {"a.jpg", "a.png"}
    else:
        assert (result.meta["width"], result.meta["height"]) == (800, 600)
        assert "damaged or ends early" in listener.warnings[0]


@pytest.mark.parametrize(
    "content",
    [b"<!doctype html><title>x</title>", b'<svg xmlns="http://www.w3.org/2000/svg"/>', b"\xff\xd8"],
)
def test_other_things_named_jpg_are_no_images(
    content: bytes, perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "page.jpg"
    source.write_bytes(content)
    with pytest.raises(InputError) as caught:
        perform("image.convert", source)
    assert caught.value.code == "not_an_image"
    assert "page.jpg" in caught.value.text
