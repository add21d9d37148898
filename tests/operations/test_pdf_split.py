"""`pdf.split`: pieces by ranges, pages, bookmarks, size; none carries what it does not show."""

import os
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from pikepdf import Dictionary, Name

from tests.operations import pdfs
from tests.operations.conftest import Listener
from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]


def pieces(made: list[Output]) -> dict[str, int]:
    return {o.path.name: pdfs.count(o.path) for o in made if o.role == "result"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def heavy(folder: Path) -> Path:
    """Ten pages of 100 kB each, which all name one shared list of all ten pictures."""
    pdf = pdfs.blank(10)
    pictures = Dictionary()
    for number in range(10):
        picture = pdf.make_stream(os.urandom(100_000))
        picture.Type, picture.Subtype = Name.XObject, Name.Image
        picture.Width, picture.Height, picture.BitsPerComponent = 250, 400, 8
        picture.ColorSpace = Name.DeviceGray
        pictures[f"/Im{number}"] = picture
    shared = pdf.make_indirect(Dictionary(XObject=pictures, Font=pdf.pages[0].Resources.Font))
    for number, page in enumerate(pdf.pages):
        page.obj.Resources = shared
        page.contents_add(f"q 100 0 0 100 200 200 cm /Im{number} Do Q".encode())
    pdf.save(folder / "heavy.pdf")
    return folder / "heavy.pdf"


def test_a_file_for_each_range_whatever_else_is_chosen(folder: Path, perform: Perform) -> None:
    source = pdfs.document(folder / "twelve.pdf", 12)
    made = perform("pdf.split", source, ranges="1-3, 7, 10-", by="size")
    assert pieces(made) == {"source-01-03.pdf": 3, "source-07.pdf": 1, "source-10-12.pdf": 3}
    with pypdfium2.PdfDocument(made[4].path) as document:
        assert "Page 10 of 12" in document[0].get_textpage().get_text_range()


def test_after_so_many_pages(folder: Path, perform: Perform) -> None:
    source = pdfs.document(folder / "five.pdf", 5)
    made = perform("pdf.split", source, every=2)
    assert pieces(made) == {"source-1-2.pdf": 2, "source-3-4.pdf": 2, "source-5.pdf": 1}
    assert [output.role for output in made] == ["result", "preview"] * 3


def test_at_bookmarks_with_their_names(folder: Path, perform: Perform) -> None:
    source = pdfs.linked(folder / "book.pdf")
    made = perform("pdf.split", source, by="bookmarks")
    assert pieces(made) == {"source-1 One.pdf": 2, "source-2 Two.pdf": 1}
    assert pdfs.titles(made[0].path) == [["One", 0, ["Within / one", 1]]]
    made = perform("pdf.split", source, by="bookmarks", depth=2)
    assert pieces(made) == {
        "source-1 One.pdf": 1,
        "source-2 Within one.pdf": 1,
        "source-3 Two.pdf": 1,
    }


def test_without_bookmarks_it_says_so(folder: Path, perform: Perform) -> None:
    with pytest.raises(InputError) as caught:
        perform("pdf.split", pdfs.document(folder / "plain.pdf"), by="bookmarks")
    assert caught.value.code == "pdf_no_bookmarks"


def test_links_within_a_piece_go_on_working(folder: Path, perform: Perform) -> None:
    source = pdfs.linked(folder / "book.pdf")
    made = perform("pdf.split", source, ranges="1-3")
    with pikepdf.open(made[0].path) as pdf:
        assert pdfs.destinations(pdf, 0) == [2, 2, 2]


def test_what_other_pages_show_is_not_dragged_along(heavy: Path, perform: Perform) -> None:
    made = [output for output in perform("pdf.split", heavy) if output.role == "result"]
    assert len(made) == 10
    assert all(100_000 < output.path.stat().st_size < 115_000 for output in made)


def test_at_most_so_many_megabytes_and_as_many_pages_as_fit(heavy: Path, perform: Perform) -> None:
    made = [o for o in perform("pdf.split", heavy, by="size", max_mb=0.35) if o.role == "result"]
    assert [output.meta["pages"] for output in made] == [3, 3, 3, 1]
    assert all(output.path.stat().st_size <= 350_000 for output in made)


def test_a_page_that_is_too_large_alone_is_told(
    heavy: Path, perform: Perform, listener: Listener
) -> None:
    made = perform("pdf.split", heavy, by="size", max_mb=0.05)
    assert len(pieces(made)) == 10
    assert "Page 01 alone has 0.1 MB" in listener.warnings[0]


def test_hidden_layers_stay_hidden(folder: Path, perform: Perform) -> None:
    source = pdfs.layered(folder / "layers.pdf")
    made = [output.path for output in perform("pdf.split", source) if output.role == "result"]
    for path in (source, *made):
        with pypdfium2.PdfDocument(path) as document:
            seen = document[0].render().to_pil().convert("RGB")
        assert seen.getpixel((250, 842 - 650)) == (255, 255, 255), path.name


def test_form_fields_stay_with_their_page(folder: Path, perform: Perform) -> None:
    with pikepdf.open(pdfs.form(folder / "form.pdf")) as pdf:
        pdf.add_blank_page()
        pdf.save(folder / "two.pdf")
    made = perform("pdf.split", folder / "two.pdf")
    with pikepdf.open(made[0].path) as first, pikepdf.open(made[2].path) as second:
        assert str(first.Root.AcroForm.Fields[0].V) == "Ada"
        assert Name.AcroForm not in second.Root or not len(second.Root.AcroForm.Fields)


def test_one_that_may_not_be_taken_apart(folder: Path, perform: Perform) -> None:
    source = pdfs.locked(folder / "locked.pdf", owner="secret", modify_assembly=False)
    with pytest.raises(InputError) as caught:
        perform("pdf.split", source)
    assert caught.value.code == "pdf_locked" and "taken apart" in caught.value.text


def test_two_thousand_pages(folder: Path, perform: Perform) -> None:
    source = pdfs.document(folder / "long.pdf", 2000)
    made = pieces(perform("pdf.split", source, every=500))
    assert list(made.values()) == [500] * 4


@pytest.mark.parametrize("title", ["a/b\\c", "..", "con:\x07bell", "x" * 300, "日本語"])
def test_a_bookmarks_title_makes_a_safe_name(title: str, folder: Path, perform: Perform) -> None:
    pdf = pdfs.blank(1)
    with pdf.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem(title, 0))
    pdf.save(folder / "odd.pdf")
    (name,) = pieces(perform("pdf.split", folder / "odd.pdf", by="bookmarks"))
    assert name.startswith("source-1") and len(name) < 80
    assert not set(name) & set('/\\:\x07*?"<>|')
