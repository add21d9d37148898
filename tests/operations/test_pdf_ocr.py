"""`pdf.ocr`: the text of scans is found, laid where it is seen, and nothing else changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
import pyvips

from tests.operations import pdfs
from tests.operations.conftest import Listener
from uploads.errors import InputError, RequestError
from uploads.operations import Context, Output
from uploads.operations.options import parse_options
from uploads.operations.registry import find

Perform = Callable[..., list[Output]]

LETTER = (
    "Dear Mrs Miller,",
    "please find the harvest report of the northern valley.",
    "Seventeen wagons of barley left on Thursday morning.",
    "The total weight was 48250 kilograms.",
)
SECOND = (
    "The second page speaks of the mill and its wheel.",
    "Every autumn the river carries leaves into the race.",
    "Workers clear the grating before the wheel stops.",
)


def text_of(path: Path, place: int = 0) -> str:
    with pypdfium2.PdfDocument(path) as document:
        return str(document[place].get_textpage().get_text_range())


def place_of(path: Path, word: str, page: int = 0) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top of a word as its page is seen, in points from its corner."""
    with pypdfium2.PdfDocument(path) as document:
        read = document[page].get_textpage()
        index, count = read.search(word).get_next()
        boxes = [read.get_charbox(at) for at in range(index, index + count)]
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def picture_of(path: Path, place: int = 0) -> bytes:
    with pypdfium2.PdfDocument(path) as document:
        return bytes(document[place].render(scale=1).buffer)


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    return pdfs.scan(tmp_path / "letter.pdf", [LETTER])


def result(made: list[Output], suffix: str = ".pdf") -> Output:
    (found,) = [o for o in made if o.role == "result" and o.path.suffix == suffix]
    return found


def test_a_scan_gets_its_text_where_it_is_seen(letter: Path, perform: Perform) -> None:
    made = result(perform("pdf.ocr", letter))
    text = text_of(made.path)
    for word in ("Miller", "harvest", "Seventeen", "48250"):
        assert word in text
    left, bottom, right, top = place_of(made.path, "harvest")
    # Its line stands 736 points above the lower edge, written in 14 points.
    assert 725 < bottom < 745 and 745 < top < 760
    assert 120 < left < 180 and 40 < right - left < 60
    assert picture_of(made.path) == picture_of(letter), "looks as before"
    assert made.meta["recognised"] == 1 and made.meta["words"] >= 20


def test_plain_text_page_by_page(tmp_path: Path, perform: Perform) -> None:
    source = pdfs.scan(tmp_path / "two.pdf", [LETTER, SECOND])
    made = perform("pdf.ocr", source, result="text")
    assert [o.path.suffix for o in made] == [".txt"]
    first, second, after = made[0].path.read_text().split("\f")
    assert "wagons of barley" in first and "carries leaves" in second and after == ""


def test_both(letter: Path, perform: Perform) -> None:
    made = perform("pdf.ocr", letter, result="both")
    assert {o.path.suffix for o in made if o.role == "result"} == {".pdf", ".txt"}


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_pages_are_turned_upright(
    tmp_path: Path, perform: Perform, listener: Listener, turned: int
) -> None:
    words = [*LETTER, *SECOND, *LETTER, *SECOND]
    source = pdfs.scan(tmp_path / "turned.pdf", [words], turned=turned)
    made = result(perform("pdf.ocr", source))
    assert "Seventeen wagons" in text_of(made.path)
    with pikepdf.open(made.path) as pdf:
        assert int(pdf.pages[0].obj.Rotate) == 360 - turned
    assert any("Turned upright" in line for line in listener.infos)


def test_a_page_that_is_turned_by_its_document_keeps_text_and_look(
    letter: Path, tmp_path: Path, perform: Perform
) -> None:
    with pikepdf.open(pdfs.scan(tmp_path / "side.pdf", [LETTER], turned=270)) as pdf:
        pdf.pages[0].obj.Rotate = 90
        pdf.pages[0].obj.CropBox = pikepdf.Array([20, 10, 800, 560])
        pdf.save(tmp_path / "rotated.pdf")
    made = result(perform("pdf.ocr", tmp_path / "rotated.pdf"))
    assert "Seventeen wagons" in text_of(made.path)
    assert picture_of(made.path) == picture_of(tmp_path / "rotated.pdf")


def test_pages_with_text_stay_as_they_are(
    tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    pdfs.scan(tmp_path / "scan.pdf", [LETTER])
    with pikepdf.Pdf.new() as pdf:
        pdf.pages.extend(pdfs.blank(1, words="Typed words").pages)
        pdf.pages.extend(pikepdf.open(tmp_path / "scan.pdf").pages)
        pdf.save(tmp_path / "mixed.pdf")
    made = perform("pdf.ocr", tmp_path / "mixed.pdf", result="both")
    pdf_made = result(made)
    assert text_of(pdf_made.path).strip() == "Typed words"
    assert "harvest" in text_of(pdf_made.path, 1)
    first, second, _ = result(made, ".txt").path.read_text().split("\f")
    assert "Typed words" in first and "harvest" in second
    assert any("1 of 2 pages had their text already" in line for line in listener.infos)


def test_a_document_with_all_its_text_is_handed_on_untouched(
    tmp_path: Path, perform: Perform
) -> None:
    source = pdfs.document(tmp_path / "typed.pdf")
    made = result(perform("pdf.ocr", source))
    assert made.path.read_bytes() == source.read_bytes()
    assert made.meta["recognised"] == 0


def test_pictures_on_pages_with_text_are_read_if_wanted(tmp_path: Path, perform: Perform) -> None:
    with pikepdf.open(pdfs.scan(tmp_path / "scan.pdf", [LETTER])) as pdf:
        stamp = pdfs.blank(1, words="STAMPED")
        pdf.pages[0].add_overlay(stamp.pages[0])
        pdf.save(tmp_path / "stamped.pdf")
    left = result(perform("pdf.ocr", tmp_path / "stamped.pdf"))
    assert "harvest" not in text_of(left.path)
    both = result(perform("pdf.ocr", tmp_path / "stamped.pdf", with_text="pictures"))
    text = text_of(both.path)
    assert "harvest" in text and text.count("STAMPED") == 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_photograph_of_a_page(tmp_path: Path, perform: Perform, suffix: str) -> None:
    source = tmp_path / f"page{suffix}"
    pdfs.printed(LETTER, dpi=150).write_to_file(str(source))
    made = result(perform("pdf.ocr", source))
    assert "Seventeen wagons" in text_of(made.path)


def test_all_pages_of_a_fax_are_read(tmp_path: Path, perform: Perform) -> None:
    source = tmp_path / "fax.tif"
    pages = [pdfs.printed(lines, dpi=200) for lines in (LETTER, SECOND)]
    joined = pages[0].join(pages[1], "vertical")
    joined.set_type(pyvips.GValue.gint_type, "page-height", pages[0].height)
    joined.tiffsave(str(source), compression="lzw")
    made = result(perform("pdf.ocr", source))
    assert pdfs.count(made.path) == 2
    assert "Seventeen wagons" in text_of(made.path, 0) and "autumn" in text_of(made.path, 1)


def test_only_the_pages_asked_for(tmp_path: Path, perform: Perform) -> None:
    source = pdfs.scan(tmp_path / "two.pdf", [LETTER, SECOND])
    made = result(perform("pdf.ocr", source, pages="2"))
    assert text_of(made.path, 0).strip() == "" and "autumn" in text_of(made.path, 1)
    with pytest.raises(InputError) as caught:
        perform("pdf.ocr", source, pages="7")
    assert caught.value.code == "pdf_no_page"


def test_an_empty_page_is_told(tmp_path: Path, perform: Perform, listener: Listener) -> None:
    made = result(perform("pdf.ocr", pdfs.scan(tmp_path / "empty.pdf", [[]])))
    assert made.meta["words"] == 0
    assert any("No text was found on page 1" in line for line in listener.warnings)


@pytest.mark.parametrize("languages", ["", "english!", "en", "eng+", "../eng", "eng/deu"])
def test_languages_are_words(languages: str) -> None:
    with pytest.raises(RequestError):
        parse_options(find("pdf.ocr").options, {"languages": languages})


def test_a_language_without_data_is_named() -> None:
    operation: Any = find("pdf.ocr")
    assert operation.missing() == ""
    lacks = operation.missing(operation.options("eng+tlh"))
    assert "“tlh”" in lacks and "eng" in lacks and "tlh.traineddata" in lacks


def test_a_long_document_is_read_in_parts(tmp_path: Path, perform: Perform) -> None:
    towns = [
        "London",
        "Paris",
        "Madrid",
        "Rome",
        "Vienna",
        "Prague",
        "Warsaw",
        "Athens",
        "Dublin",
        "Berlin",
        "Geneva",
    ]
    pages = [(*LETTER, f"It was sent from {town}.") for town in towns]
    source = pdfs.scan(tmp_path / "long.pdf", pages)
    operation: Any = find("pdf.ocr")
    step = Context(operation.options(), tmp_path, name="long.pdf")
    parts = operation.planner(source, step)
    assert len(parts) > 1 and sum(len(part.params["pages"]) for part in parts) == len(pages)
    made = result(perform("pdf.ocr", source, result="both"))
    for place, town in enumerate(towns):
        assert f"sent from {town}" in text_of(made.path, place)
