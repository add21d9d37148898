"""`pdf.text`: the words of each page, and which pages have none."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations import pdfs
from tests.operations.conftest import Listener
from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return pdfs.document(tmp_path / "in" / "three.pdf")


def test_text_with_a_form_feed_after_each_page(three: Path, perform: Perform) -> None:
    (made,) = perform("pdf.text", three)
    assert made.path.name == "source.txt"
    assert made.path.read_text() == "".join(f"Page {n} of 3\n\f" for n in (1, 2, 3))


def test_other_breaks_and_chosen_pages(three: Path, perform: Perform) -> None:
    (made,) = perform("pdf.text", three, pages="2-", breaks="line")
    assert made.path.read_text() == "— 2 —\n\nPage 2 of 3\n\n— 3 —\n\nPage 3 of 3\n"
    (made,) = perform("pdf.text", three, pages="3, 1", breaks="none")
    assert made.path.read_text() == "Page 3 of 3\n\nPage 1 of 3\n"


def test_json_tells_where_each_line_stands(three: Path, perform: Perform) -> None:
    (made,) = perform("pdf.text", three, format="json")
    told = json.loads(made.path.read_text())
    assert [page["page"] for page in told["pages"]] == [1, 2, 3]
    (line,) = told["pages"][1]["lines"]
    left, bottom, right, top = line["box"]
    assert line["text"] == "Page 2 of 3"
    assert 55 < left < right < 400 and 410 < bottom < top < 470


def test_pages_without_text_are_named(perform: Perform, listener: Listener, tmp_path: Path) -> None:
    pdf = pdfs.blank(6)
    for place in (1, 2, 4):
        pdf.pages[place].obj.Contents = pdf.make_stream(b"1 0 0 rg 0 0 90 90 re f")
    pdf.save(tmp_path / "half.pdf")
    perform("pdf.text", tmp_path / "half.pdf")
    (told,) = listener.warnings
    assert told.startswith("No text on pages 2-3, 5:") and "OCR" in told


def test_no_text_at_all_is_an_error_that_says_why(
    perform: Perform, photo: Callable[..., Path], tmp_path: Path
) -> None:
    scan = perform("pdf.from_images", photo())[0].path.rename(tmp_path / "scan.pdf")
    with pytest.raises(InputError) as caught:
        perform("pdf.text", scan)
    assert caught.value.code == "pdf_no_text" and "scans" in caught.value.text


def test_one_that_may_not_be_read_out(perform: Perform, tmp_path: Path) -> None:
    path = pdfs.locked(tmp_path / "locked.pdf", owner="secret", extract=False)
    with pytest.raises(InputError) as caught:
        perform("pdf.text", path)
    assert caught.value.code == "pdf_locked"


def test_two_thousand_pages_in_a_moment(perform: Perform, tmp_path: Path) -> None:
    path = pdfs.document(tmp_path / "long.pdf", 2000)
    (made,) = perform("pdf.text", path)
    assert made.meta["pages"] == 2000
    assert made.path.read_text().count("\f") == 2000
