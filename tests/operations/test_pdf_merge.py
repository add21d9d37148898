"""`pdf.merge` and `pdf.from_images`: one document of many files, nothing lost on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
import pyvips
from pikepdf import Array, Dictionary, Name

from tests.operations import pdfs
from tests.operations.conftest import Listener, Told, flat
from uploads.errors import InputError
from uploads.operations import Limits, Output

Perform = Callable[..., list[Output]]


def only(made: list[Output]) -> Path:
    assert [output.role for output in made] == ["result", "preview"]
    return made[0].path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def corner(folder: Path) -> Callable[..., Path]:
    """A picture as a camera stores it: upright it is 400 × 200, red in its upper left corner."""

    def make(turn: int) -> Path:
        upright = flat(400, 200, 250, 250, 250).draw_rect([230, 0, 0], 0, 0, 80, 80, fill=True)
        undo: dict[int, Any] = {
            1: lambda i: i,
            2: lambda i: i.fliphor(),
            3: lambda i: i.rot180(),
            4: lambda i: i.flipver(),
            5: lambda i: i.rot90().fliphor(),
            6: lambda i: i.rot270(),
            7: lambda i: i.rot270().fliphor(),
            8: lambda i: i.rot90(),
        }
        image = undo[turn](upright).copy(interpretation="srgb").copy_memory()
        image.set_type(pyvips.GValue.gint_type, "orientation", turn)
        path = folder / f"turn-{turn}.jpg"
        image.jpegsave(str(path), Q=95)
        return path

    return make


def drawn(path: Path, place: int) -> Any:
    with pypdfium2.PdfDocument(path) as document:
        bitmap = document[place].render(scale=1, rev_byteorder=True)
        data = bytes(bitmap.buffer)
        row = bitmap.stride // 3
        return pyvips.Image.new_from_memory(data, row, bitmap.height, 3, "uchar").crop(
            0, 0, bitmap.width, bitmap.height
        )


def test_documents_and_pictures_in_their_order(
    folder: Path, perform: Perform, corner: Callable[..., Path]
) -> None:
    one = pdfs.document(folder / "one.pdf", 2, words="first {n}")
    two = pdfs.document(folder / "two.pdf", 1, words="second {n}")
    made = only(perform("pdf.merge", one, corner(1), two))
    with pypdfium2.PdfDocument(made) as document:
        told = [page.get_textpage().get_text_range().strip() for page in document]
    assert told == ["first 1", "first 2", "", "second 1"]
    assert pdfs.titles(made) == [["one", 0], ["turn-1", 2], ["two", 3]]


def test_links_and_bookmarks_lead_to_the_same_pages(folder: Path, perform: Perform) -> None:
    one, two = pdfs.linked(folder / "one.pdf"), pdfs.linked(folder / "two.pdf")
    made = only(perform("pdf.merge", one, two))
    with pikepdf.open(made) as pdf:
        assert pdfs.destinations(pdf, 0) == [2, 2, 2]
        assert pdfs.destinations(pdf, 3) == [5, 5, 5]
    kept = [["One", 0, ["Within / one", 1]], ["Two", 2]]
    assert pdfs.titles(made)[0] == ["one", 0, *kept]
    assert pdfs.titles(made)[1] == ["two", 3, ["One", 3, ["Within / one", 4]], ["Two", 5]]


@pytest.mark.parametrize(("operation", "options"), [("pdf.merge", {}), ("pdf.split", {"every": 2})])
def test_bookmarks_keep_their_place_on_the_page_and_lead_into_no_other_file(
    operation: str, options: Any, folder: Path, perform: Perform
) -> None:
    pdf = pdfs.blank(2)
    with pdf.open_outline() as outline:
        near = pikepdf.OutlineItem("Near")
        near.destination = Array([pdf.pages[1].obj, Name.XYZ, 72.5, 700.25, None])
        elsewhere = pikepdf.OutlineItem("Elsewhere")
        action = Dictionary(S=Name.GoToR, F=pikepdf.String("b.pdf"), D=Array([1, Name.Fit]))
        elsewhere.action = action
        outline.root.extend([near, elsewhere])
    pdf.save(folder / "one.pdf")
    made = only(perform(operation, folder / "one.pdf", **options))
    with pikepdf.open(made) as found, found.open_outline() as outline:
        marks = outline.root[0].children if operation == "pdf.merge" else outline.root
        assert [mark.title for mark in marks] == ["Near"]
        view = list(marks[0].destination)[2:]
        assert [edge if edge is None else float(edge) for edge in view] == [72.5, 700.25, None]


def test_bookmarks_of_the_web_lead_there(folder: Path, perform: Perform) -> None:
    pdf = pdfs.blank(1)
    with pdf.open_outline() as outline:
        web = pikepdf.OutlineItem("Web")
        web.action = Dictionary(S=Name.URI, URI=pikepdf.String("https://mill.example.org/"))
        outline.root.append(web)
    pdf.save(folder / "one.pdf")
    made = only(perform("pdf.merge", folder / "one.pdf"))
    with pikepdf.open(made) as found, found.open_outline() as outline:
        (mark,) = outline.root[0].children
        assert str(mark.action.URI) == "https://mill.example.org/"


def test_forms_of_one_name_stay_apart(folder: Path, perform: Perform) -> None:
    files = [pdfs.form(folder / f"{name}.pdf", name) for name in ("Ada", "Bob")]
    with pikepdf.open(only(perform("pdf.merge", *files))) as pdf:
        fields = list(pdf.Root.AcroForm.Fields)
        assert [str(field.V) for field in fields] == ["Ada", "Bob"]
        assert len({str(field.T) for field in fields}) == 2
        widgets = [page.Annots[0].objgen for page in pdf.pages]
        assert widgets == [field.objgen for field in fields]


def test_each_begins_on_a_right_hand_page(folder: Path, perform: Perform) -> None:
    files = [pdfs.document(folder / f"{n}.pdf", n, [(300, 400)]) for n in (1, 2, 3)]
    made = only(perform("pdf.merge", *files, right_hand=True))
    assert pdfs.titles(made) == [["1", 0], ["2", 2], ["3", 4]]
    assert pdfs.count(made) == 7
    with pikepdf.open(made) as pdf:
        assert [float(edge) for edge in pdf.pages[1].mediabox] == [0, 0, 300, 400]


def test_an_empty_page_is_as_large_as_the_one_before_is_seen(
    folder: Path, perform: Perform
) -> None:
    lying, cropped = pdfs.blank(1), pdfs.blank(1)
    lying.pages[0].obj.Rotate = 270
    cropped.pages[0].obj.CropBox = Array([100, 100, 300, 350])
    files = [folder / "lying.pdf", folder / "cropped.pdf", folder / "last.pdf"]
    for pdf, path in zip((lying, cropped, pdfs.blank(1)), files, strict=True):
        pdf.save(path)
    with pypdfium2.PdfDocument(only(perform("pdf.merge", *files, right_hand=True))) as document:
        sizes = [document.get_page_size(place) for place in range(4)]
    assert sizes == [(842, 595), (842, 595), (200, 250), (200, 250)]


def test_more_files_than_may_be_open_at_once(
    folder: Path, child: Callable[..., Told], tmp_path: Path
) -> None:
    files = [pdfs.document(folder / f"{n}.pdf", 1, words=f"number {n}") for n in range(300)]
    told = child("pdf.merge", *files, media_type="application/pdf")
    assert told.codes == []
    made = Path(told.of("output")[0]["path"])
    with pypdfium2.PdfDocument(made) as document:
        assert len(document) == 300
        assert "number 299" in document[299].get_textpage().get_text_range()
        assert "number 7" in document[7].get_textpage().get_text_range()


def test_a_bad_file_is_named_and_nothing_is_left_out_in_silence(
    folder: Path, perform: Perform
) -> None:
    bad = folder / "bad.pdf"
    bad.write_bytes(b"%PDF-1.7 and nothing else")
    with pytest.raises(InputError) as caught:
        perform("pdf.merge", pdfs.document(folder / "good.pdf"), bad)
    assert caught.value.code == "pdf_damaged" and caught.value.values["name"] == "bad.pdf"


def test_hidden_layers_stay_hidden(folder: Path, perform: Perform) -> None:
    files = [pdfs.layered(folder / f"{number}.pdf", others_too=number == 1) for number in range(3)]
    made = only(perform("pdf.merge", *files))
    with pikepdf.open(made) as pdf:
        hidden = {layer.objgen for layer in pdf.Root.OCProperties.D.OFF}
        assert hidden == {page.Resources.Properties.L1.objgen for page in pdf.pages}
        assert len(hidden) == 3
    white = [255.0] * 3
    assert [drawn(made, place).getpoint(250, 842 - 650) for place in range(6)] == [white] * 6


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_stand_upright(turn: int, perform: Perform, corner: Callable[..., Path]) -> None:
    page = drawn(only(perform("pdf.from_images", corner(turn), paper="picture")), 0)
    assert page.width == 2 * page.height
    near, far = page.getpoint(8, 8), page.getpoint(page.width - 8, page.height - 8)
    assert near[0] > 200 and near[1] < 40, "red in the upper left corner"
    assert min(far) > 230


def test_a_jpeg_keeps_every_bit(perform: Perform, photo: Callable[..., Path]) -> None:
    source = photo("photo.jpg")
    with pikepdf.open(only(perform("pdf.from_images", source))) as pdf:
        (picture,) = pdf.pages[0].Resources.XObject.as_dict().values()
        assert picture.read_raw_bytes() == source.read_bytes()


def test_every_kind_of_picture_on_paper_with_a_margin(
    folder: Path, perform: Perform, photo: Callable[..., Path]
) -> None:
    clear = flat(300, 500, 0, 200, 0, 0).copy(interpretation="srgb")
    clear.write_to_file(str(folder / "clear.png"))
    clear[0:3].write_to_file(str(folder / "tall.webp"))
    files = [photo("a.jpg"), folder / "clear.png", folder / "tall.webp", photo("b.heic")]
    files.append(photo("c.png"))
    made = only(perform("pdf.from_images", *files, paper="letter", margin=20))
    with pypdfium2.PdfDocument(made) as document:
        sizes = [tuple(round(edge) for edge in page.get_size()) for page in document]
    wide, tall = (792, 612), (612, 792)
    assert sizes == [wide, tall, tall, wide, wide]
    page = drawn(made, 0)
    assert page.crop(0, 0, 792, 55).min() == 255, "20 mm stay white"
    assert page.crop(60, 60, 300, 400).avg() < 200
    assert min(drawn(made, 1).getpoint(300, 400)) == 255, "transparent is white"


def test_a_bad_picture_is_left_out_and_named(
    folder: Path, perform: Perform, listener: Listener, photo: Callable[..., Path]
) -> None:
    bad = folder / "broken.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing")
    assert pdfs.count(only(perform("pdf.from_images", bad, photo()))) == 1
    assert "broken.jpg" in listener.warnings[0]
    with pytest.raises(InputError) as caught:
        perform("pdf.from_images", bad)
    assert caught.value.code == "image_damaged"


def test_a_signature_that_no_longer_holds_is_told(
    folder: Path, perform: Perform, listener: Listener
) -> None:
    path = pdfs.form(folder / "signed.pdf")
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.Root.AcroForm.SigFlags = 3
        pdf.save(path)
    perform("pdf.merge", path, pdfs.document(folder / "other.pdf"))
    assert "signed.pdf” was signed" in listener.warnings[0]


def test_each_page_of_a_fax_is_one(perform: Perform, tmp_path: Path) -> None:
    fax = tmp_path / "fax.tif"
    pages = [pyvips.Image.black(200, 280) + shade for shade in (0, 100, 250)]
    joined = pyvips.Image.arrayjoin([page.cast("uchar") for page in pages], across=1)
    joined.set_type(pyvips.GValue.gint_type, "page-height", 280)
    joined.tiffsave(str(fax), compression="lzw")
    made = perform("pdf.from_images", fax)[0]
    assert pdfs.count(made.path) == 3
    with pytest.raises(InputError) as caught:
        perform("pdf.from_images", fax, limits=Limits(image_max_frames=2))
    assert caught.value.code == "media_too_large" and "3 frames" in str(caught.value)


@pytest.mark.parametrize("paper", ["a4", "picture"])
def test_a_fax_with_fewer_dots_down_than_across_is_as_tall_as_its_paper(
    paper: str, perform: Perform, tmp_path: Path
) -> None:
    fax = tmp_path / "coarse.tif"
    page = flat(1728, 1145, 255).copy(interpretation="b-w", xres=204 / 25.4, yres=98 / 25.4)
    page.tiffsave(str(fax))
    with pikepdf.open(only(perform("pdf.from_images", fax, paper=paper))) as pdf:
        width, _, _, height = (float(v) for v in pdf.pages[0].Contents.read_bytes().split()[1:5])
        assert height / width == pytest.approx((1145 / 98) / (1728 / 204), rel=0.01)
        left, bottom, right, top = (float(edge) for edge in pdf.pages[0].mediabox)
        assert top - bottom > right - left
