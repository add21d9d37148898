"""`image.duplicates`: copies are found whatever became of them, and other pictures never are."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pyvips
from PIL import Image

from tests.operations.conftest import Listener, flat
from uploads.errors import Cancelled, InputError
from uploads.operations import Limits, Output
from uploads.operations.lookalikes import MOST_PROPOSED

Perform = Callable[..., list[Output]]
SIZES = ((90, 60), (60, 40))
TEXTS = ("the mill wheel turns while grain falls", "each beam of light on old oak doors there")


def drawn(seed: int, width: int = 900, height: int = 600) -> Any:
    """Return a picture of coloured shapes on clouds; no two seeds look alike."""
    dice = Random(seed)
    clouds = [
        pyvips.Image.perlin(width, height, cell_size=300, seed=seed * 3 + n) for n in range(3)
    ]
    image = clouds[0].bandjoin(clouds[1:]).linear(90, 128).cast("uchar").copy_memory()
    for _ in range(9):
        colour = [dice.randint(0, 255) for _ in range(3)]
        place, size = (dice.randrange(width), dice.randrange(height)), dice.randint(20, 130)
        image = image.draw_circle(colour, *place, size, fill=True)
    return image.copy(interpretation="srgb")


def lines(words: str) -> Any:
    """Return a page of text: of one layout whatever the words."""
    text = pyvips.Image.text(" ".join([words] * 14), width=720, font="sans 22", dpi=72).invert()
    page = text.embed(90, 60, 900, 1200, extend="background", background=255)
    return page.bandjoin([page, page]).copy(interpretation="srgb")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def save(image: Any, path: Path, **how: Any) -> Path:
    image.write_to_file(str(path), **how)
    return path


def rows(made: list[Output]) -> list[dict[str, str]]:
    (table,) = [output.path for output in made if output.path.suffix == ".csv"]
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


def grouped(made: list[Output]) -> list[set[str]]:
    groups: dict[str, set[str]] = {}
    for row in rows(made):
        if row["group"]:
            groups.setdefault(row["group"], set()).add(row["name"])
    return sorted(groups.values(), key=sorted)


def test_copies_are_found_in_other_sizes_formats_and_qualities(
    folder: Path, perform: Perform
) -> None:
    first = save(drawn(1), folder / "a.jpg", Q=92)
    others = [save(drawn(seed), folder / f"other {seed}.jpg") for seed in range(2, 8)]
    copies = [
        save(drawn(1).resize(0.4), folder / "a small.webp", Q=60),
        save(drawn(1), folder / "a poor.jpg", Q=30),
        save(drawn(1), folder / "a.png"),
        Path(shutil.copy(first, folder / "again.jpg")),
    ]
    made = perform("image.duplicates", first, *others, *copies)
    names = {"a.jpg", "a small.webp", "a poor.jpg", "a.png", "again.jpg"}
    assert grouped(made) == [names]
    hows = {row["name"]: row["how"] for row in rows(made)}
    assert hows.pop("a.png") == "the largest"
    assert set(hows.values()) == {"saved again"}


def test_what_a_camera_turned_is_the_same_picture(folder: Path, perform: Perform) -> None:
    upright = save(drawn(1), folder / "upright.png")
    lying = drawn(1).rot270()
    lying.set_type(pyvips.GValue.gint_type, "orientation", 6)
    turned = save(lying, folder / "lying.jpg", Q=95)
    made = perform("image.duplicates", upright, turned)
    assert grouped(made) == [{"upright.png", "lying.jpg"}]


def test_small_crops_and_other_light_count_when_that_is_asked_for(
    folder: Path, perform: Perform
) -> None:
    whole = save(drawn(1), folder / "whole.jpg", Q=90)
    cropped = save(drawn(1).crop(30, 12, 850, 570), folder / "cropped.jpg", Q=80)
    darker = save(drawn(1).linear(0.75, 0).cast("uchar"), folder / "darker.jpg", Q=80)
    other = save(drawn(2), folder / "other.jpg")
    files = (whole, cropped, darker, other)
    assert grouped(perform("image.duplicates", *files)) == []
    made = perform("image.duplicates", *files, likeness="similar")
    assert grouped(made) == [{"whole.jpg", "cropped.jpg", "darker.jpg"}]


def test_two_pages_of_one_layout_are_not_alike(folder: Path, perform: Perform) -> None:
    pages = [save(lines(words), folder / f"page {n}.png") for n, words in enumerate(TEXTS)]
    again = save(lines(TEXTS[0]), folder / "scan.jpg", Q=60)
    made = perform("image.duplicates", *pages, again, likeness="similar")
    assert grouped(made) == [{"page 0.png", "scan.jpg"}]


def test_exact_means_every_pixel(folder: Path, perform: Perform) -> None:
    first = save(drawn(1), folder / "first.png")
    same = save(drawn(1), folder / "same.webp", lossless=True)
    nearly = save(drawn(1).draw_rect([9, 9, 9], 5, 5, 1, 1), folder / "nearly.png")
    made = perform("image.duplicates", first, same, nearly, likeness="same")
    assert grouped(made) == [{"first.png", "same.webp"}]
    assert {row["how"] for row in rows(made)} == {"the largest", "the same picture"}


def test_what_is_too_large_as_a_whole_or_has_pages_of_many_sizes_spoils_nothing(
    folder: Path, perform: Perform, listener: Listener
) -> None:
    pictures = [Image.frombytes("RGB", size, drawn(7, *size).write_to_memory()) for size in SIZES]
    for name, packing in (("a.tif", "tiff_lzw"), ("b.tif", "tiff_deflate")):
        first, *others = pictures
        first.save(folder / name, save_all=True, append_images=others, compression=packing)
    frames = [drawn(seed, 90, 60) for seed in range(4)]
    strip = pyvips.Image.arrayjoin(frames, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", 60)
    for name, effort in (("c.webp", 0), ("d.webp", 6)):
        strip.webpsave(str(folder / name), lossless=True, effort=effort)
    same = [save(drawn(5, 90, 60), folder / f"e{end}") for end in (".png", ".tif")]
    paths = [*(folder / name for name in ("a.tif", "b.tif", "c.webp", "d.webp")), *same]
    limits = Limits(image_max_pixels=20_000)
    made = perform("image.duplicates", *paths, likeness="same", limits=limits)
    assert grouped(made) == [{"e.png", "e.tif"}]
    assert sorted(word.split("”")[0] for word in listener.warnings) == [
        f"Not compared as a whole: “{name}" for name in ("a.tif", "b.tif", "c.webp", "d.webp")
    ]
    assert "4 frames of 90 × 60 pixels; at most 0.02 megapixels" in listener.warnings[-1]


def test_more_copies_than_are_proposed_at_once_are_one_group(
    folder: Path, perform: Perform
) -> None:
    picture = drawn(1, 300, 200)
    files = [save(picture, folder / f"{n}.jpg", Q=30 + n) for n in range(MOST_PROPOSED + 12)]
    made = perform("image.duplicates", save(drawn(2), folder / "other.jpg"), *files)
    assert grouped(made) == [{path.name for path in files}]


def test_plain_pictures_are_alike_only_in_one_colour(folder: Path, perform: Perform) -> None:
    shades = [(200, 200, 200), (200, 200, 200), (30, 30, 30), (200, 60, 60)]
    files = [
        save(flat(300 + n, 300, *shade).copy(interpretation="srgb"), folder / f"{n}.png")
        for n, shade in enumerate(shades)
    ]
    made = perform("image.duplicates", *files, likeness="similar")
    assert grouped(made) == [{"0.png", "1.png"}]


@pytest.mark.parametrize(
    ("keep", "kept"), [("largest", "large.png"), ("earliest", "early.jpg"), ("first", "sent.jpg")]
)
def test_which_one_stays_is_as_asked(keep: str, kept: str, folder: Path, perform: Perform) -> None:
    early, late = drawn(1).resize(0.5), drawn(1).resize(0.7)
    for image, day in ((early, "2019:03:01 10:00:00"), (late, "2021:03:01 10:00:00")):
        image.set_type(pyvips.GValue.gstr_type, "exif-ifd2-DateTimeOriginal", day)
    files = (
        save(drawn(1).resize(0.3), folder / "sent.jpg"),
        save(drawn(1), folder / "large.png"),
        save(late, folder / "late.jpg"),
        save(early, folder / "early.jpg"),
    )
    made = perform("image.duplicates", *files, keep=keep)
    assert [row["name"] for row in rows(made) if row["keep"] == "yes"] == [kept]


def test_one_of_each_goes_on_as_it_is(folder: Path, perform: Perform) -> None:
    files = [save(drawn(seed), folder / f"{seed}.jpg") for seed in (1, 2)]
    files.append(Path(shutil.copy(files[0], folder / "1 (1).jpg")))
    made = perform("image.duplicates", *files, pictures="kept")
    passed = [output for output in made if output.role == "result"]
    assert [output.meta["name"] for output in passed] == ["1.jpg", "2.jpg"]
    assert [output.path.read_bytes() for output in passed] == [p.read_bytes() for p in files[:2]]
    assert [row["how"] for row in rows(made)] == ["the largest", "the same file"]
    made = perform("image.duplicates", *files, pictures="spare")
    assert [o.meta["name"] for o in made if o.role == "result"] == ["1 (1).jpg"]


def test_the_page_shows_a_group_side_by_side(folder: Path, perform: Perform) -> None:
    name = "<b>&.jpg"
    files = [save(drawn(1), folder / "a.jpg"), save(drawn(1).resize(0.5), folder / "b.jpg")]
    odd = Path(shutil.copy(files[0], folder / name))
    page = next(o for o in perform("image.duplicates", *files, odd) if o.path.suffix == ".html")
    text = page.path.read_text(encoding="utf-8")
    assert page.meta["page"] and page.meta["spare"] == 2
    assert text.count("data:image/jpeg;base64,") == 3 and "Keep" in text
    assert "<b>&.jpg" not in text and "&lt;b&gt;&amp;.jpg" in text
    assert "<script" not in text and "http" not in text


def test_unreadable_pictures_are_named_and_left_out(
    folder: Path, perform: Perform, listener: Listener
) -> None:
    good = [save(drawn(1), folder / "a.jpg"), save(drawn(1), folder / "b.png")]
    bad = folder / "broken.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing")
    made = perform("image.duplicates", good[0], bad, good[1])
    assert grouped(made) == [{"a.jpg", "b.png"}]
    assert "broken.jpg" in listener.warnings[0]
    assert [row["name"] for row in rows(made) if row["error"]] == ["broken.jpg"]
    with pytest.raises(InputError) as caught:
        perform("image.duplicates", bad)
    assert caught.value.code == "image_damaged"


def test_it_stops_when_told_so(folder: Path, perform: Perform, listener: Listener) -> None:
    listener.raises = Cancelled
    with pytest.raises(Cancelled):
        perform("image.duplicates", save(drawn(1), folder / "a.jpg"))


def test_nothing_twice_says_so(folder: Path, perform: Perform, listener: Listener) -> None:
    made = perform("image.duplicates", save(drawn(1), folder / "a.jpg"))
    page = next(o for o in made if o.path.suffix == ".html")
    assert "No picture is there twice" in page.path.read_text(encoding="utf-8")
    assert listener.fractions == sorted(listener.fractions)
