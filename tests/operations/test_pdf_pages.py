"""`pdf.pages`: each page as a picture, of the size asked for, whatever the document is like."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import pyvips

from tests.operations import pdfs
from tests.operations.conftest import Listener, Told
from uploads.errors import InputError, RequestError
from uploads.operations import Context, Limits, Output
from uploads.operations.base import PartResult
from uploads.operations.options import parse_options
from uploads.operations.registry import find

Perform = Callable[..., list[Output]]


def results(made: list[Output]) -> list[Output]:
    return [output for output in made if output.role == "result"]


def opened(output: Output) -> Any:
    return pyvips.Image.new_from_file(str(output.path))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return pdfs.document(tmp_path / "in" / "three.pdf")


def test_a_picture_of_each_page_named_by_its_number(three: Path, perform: Perform) -> None:
    made = perform("pdf.pages", three, dpi=72)
    assert [output.path.name for output in results(made)] == [f"source-{n}.png" for n in (1, 2, 3)]
    assert [output.meta["page"] for output in results(made)] == [1, 2, 3]
    for output in results(made):
        image = opened(output)
        assert (image.width, image.height, image.bands) == (595, 842, 3)
        assert image.getpoint(50, 842 - 50) == [255, 0, 0], "the red square, lower left"
        assert image.getpoint(500, 20) == [255, 255, 255]


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_a_picture_says_how_large_its_page_was(form: str, three: Path, perform: Perform) -> None:
    made = perform("pdf.pages", three, dpi=200, format=form)[0]
    assert pyvips.Image.new_from_file(str(made.path)).xres * 25.4 == pytest.approx(200, abs=0.5)


def test_a_small_picture_of_each_large_one(three: Path, perform: Perform) -> None:
    made = perform("pdf.pages", three)
    assert [output.role for output in made] == ["result", "preview"] * 3
    assert [output.path.stem for output in made[1::2]] == [f"source-{n}-preview" for n in (1, 2, 3)]


@pytest.mark.parametrize(("format", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp")])
def test_other_formats_by_the_longest_edge(
    three: Path, perform: Perform, format: str, suffix: str
) -> None:
    (made,) = results(perform("pdf.pages", three, format=format, longest_edge=400, pages="2"))
    assert made.path.name == f"source-2{suffix}"
    image = opened(made)
    assert (image.width, image.height) == (283, 400)


def test_grey_and_transparent(three: Path, perform: Perform) -> None:
    (grey,) = results(perform("pdf.pages", three, pages="1", dpi=36, grey=True))
    assert opened(grey).bands == 1
    (clear,) = results(perform("pdf.pages", three, pages="1", dpi=72, ground="transparent"))
    assert opened(clear).getpoint(500, 20)[3] == 0
    assert opened(clear).getpoint(50, 842 - 50) == [255, 0, 0, 255]


def test_jpeg_can_not_be_transparent() -> None:
    with pytest.raises(RequestError) as caught:
        parse_options(find("pdf.pages").options, {"format": "jpeg", "ground": "transparent"})
    assert "JPEG" in str(caught.value)


def test_landscape_turned_and_odd_boxes(perform: Perform, tmp_path: Path) -> None:
    pdf = pdfs.blank(3, [(842, 595), (595, 842), (595, 842)])
    pdf.pages[1].obj.Rotate = 90
    pdf.pages[2].obj.CropBox = pikepdf.Array([0, 0, 200, 100])
    path = tmp_path / "turned.pdf"
    pdf.save(path)
    made = [opened(output) for output in results(perform("pdf.pages", path, dpi=72))]
    assert [(i.width, i.height) for i in made] == [(842, 595), (842, 595), (200, 100)]
    assert made[1].getpoint(50, 50) == [255, 0, 0], "lower left is upper left after a turn"


def test_forms_are_drawn_as_filled_in_unless_notes_are_left_out(
    perform: Perform, tmp_path: Path
) -> None:
    path = pdfs.form(tmp_path / "form.pdf", "Ada")
    (filled,) = results(perform("pdf.pages", path, dpi=72, format="png"))
    field = opened(filled).crop(200, 842 - 230, 100, 30)
    assert field.colourspace("b-w").min() < 80
    (bare,) = results(perform("pdf.pages", path, dpi=72, notes=False))
    assert opened(bare).crop(202, 842 - 228, 96, 26).colourspace("b-w").min() > 250


def test_pages_beyond_the_end_are_told(three: Path, perform: Perform) -> None:
    assert len(results(perform("pdf.pages", three, pages="2-99"))) == 2
    with pytest.raises(InputError) as caught:
        perform("pdf.pages", three, pages="4-")
    assert caught.value.text == "“three.pdf” has 3 pages; there is no page 4."


def test_a_huge_page_is_drawn_smaller_and_told(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    path = pdfs.document(tmp_path / "banner.pdf", 1, [(14_173, 14_173)])
    limits = Limits(image_max_pixels=4_000_000)
    (made,) = results(perform("pdf.pages", path, dpi=600, limits=limits))
    image = opened(made)
    assert 3_900_000 < image.width * image.height <= 4_000_000
    assert "instead of 600" in listener.warnings[0]


def test_a_sample_of_a_long_document_takes_some_pages(perform: Perform, tmp_path: Path) -> None:
    path = pdfs.document(tmp_path / "long.pdf", 50, [(100, 100)])
    made = results(perform("pdf.pages", path, dpi=36, sample_seconds=10))
    assert [output.meta["page"] for output in made] == [1, 8, 15, 22, 29, 36, 43, 50]
    assert {output.meta["sample_share"] for output in made} == {0.16}


def test_long_documents_become_parts_of_some_seconds(tmp_path: Path) -> None:
    path = pdfs.document(tmp_path / "long.pdf", 2000)
    operation = find("pdf.pages")
    step: Context[Any] = Context(operation.options(), tmp_path, name="long.pdf")
    assert operation.planner is not None and operation.joiner is not None
    parts = operation.planner(path, step)
    places = [page["place"] for part in parts for page in part.params["pages"]]
    assert places == list(range(2000))
    assert len(parts) > 20 and all(part.weight <= 7 for part in parts)
    assert all(part.memory_bytes and part.memory_bytes < 512 * 1024**2 for part in parts)

    folders = [tmp_path / name for name in ("one", "two")]
    done = []
    for folder, part in zip(folders, parts[:2], strict=True):
        folder.mkdir()
        small = {**part.params, "pages": part.params["pages"][:3]}
        drawing: Context[Any] = Context(step.options, folder, name="long.pdf", part=small)
        made = list(operation.run(path, drawing))
        outputs = [output for output in made if isinstance(output, Output)]
        done.append(PartResult(small, [o.path for o in outputs], [o.meta for o in outputs]))
    joined = [output for output in operation.joiner(path, step, done) if isinstance(output, Output)]
    first = len(parts[0].params["pages"])
    pages = [1, 2, 3, first + 1, first + 2, first + 3]
    assert [output.path.name for output in results(joined)] == [f"source-{n:04}.png" for n in pages]


def test_a_document_that_is_locked_against_printing(perform: Perform, tmp_path: Path) -> None:
    path = pdfs.locked(
        tmp_path / "locked.pdf", owner="secret", print_lowres=False, print_highres=False
    )
    with pytest.raises(InputError) as caught:
        perform("pdf.pages", path)
    assert caught.value.code == "pdf_locked"
    free = pdfs.locked(tmp_path / "free.pdf", owner="secret", extract=False)
    assert len(results(perform("pdf.pages", free, dpi=36))) == 3


@pytest.mark.parametrize(
    "operation", ["pdf.pages", "pdf.merge", "pdf.split", "pdf.text", "pdf.compress"]
)
def test_a_password_is_never_asked_for_in_words(
    operation: str, child: Callable[..., Told], tmp_path: Path
) -> None:
    path = pdfs.locked(tmp_path / "closed.pdf", owner="one", user="two")
    told = child(operation, path, media_type="application/pdf")
    assert told.codes == ["pdf_password"]
    assert told.of("error")[0]["values"]["name"] == "closed.pdf"


def test_a_document_cut_off_is_repaired(perform: Perform, three: Path) -> None:
    whole = three.read_bytes()
    three.write_bytes(whole[: whole.rindex(b"xref")])
    assert len(results(perform("pdf.pages", three, dpi=36))) == 3
