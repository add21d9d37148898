"""`pdf.compress`: smaller, never larger, and it looks the same."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import pyvips
from pikepdf import Array, Dictionary, Name

from tests.operations import pdfs
from tests.operations.conftest import Listener, halves
from uploads.operations import Output, pdf_pictures

Perform = Callable[..., list[Output]]


def result(made: list[Output]) -> Output:
    assert [output.role for output in made] == ["result", "preview"]
    return made[0]


def picture(path: Path) -> Any:
    with pikepdf.open(path) as pdf:
        (found,) = pdf.pages[0].Resources.XObject.as_dict().values()
        return found.read_raw_bytes(), int(found.Width), str(found.Filter)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def scan(folder: Path, perform: Perform) -> Path:
    """An A4 page of a photograph of 300 dots per inch, as a JPEG."""
    halves(2480, 3508).jpegsave(str(folder / "photo.jpg"), Q=92)
    made = perform("pdf.from_images", folder / "photo.jpg")[0]
    return made.path.rename(folder / "scan.pdf")


def test_sharp_pictures_are_made_as_sharp_as_asked_for(scan: Path, perform: Perform) -> None:
    made = result(perform("pdf.compress", scan, dpi=100))
    assert made.path.stat().st_size < 0.3 * scan.stat().st_size
    _, width, kind = picture(made.path)
    assert abs(width - 827) <= 2 and kind == "/DCTDecode"
    assert made.meta["pictures"] == 1 and made.meta["pages"] == 1


def test_without_loss_every_picture_stays_as_it_is(scan: Path, perform: Perform) -> None:
    made = result(perform("pdf.compress", scan, images=False))
    assert picture(made.path) == picture(scan)


def test_what_nothing_refers_to_is_gone_and_the_rest_packed(folder: Path, perform: Perform) -> None:
    pdf = pdfs.blank(20)
    pdf.Root.PieceInfo = Dictionary(Private=pdf.make_stream(b"private " * 5000))
    pdf.save(
        folder / "loose.pdf",
        compress_streams=False,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
    )
    made = result(perform("pdf.compress", folder / "loose.pdf", images=False))
    assert made.path.stat().st_size < 0.3 * (folder / "loose.pdf").stat().st_size
    with pikepdf.open(made.path) as after:
        assert Name.PieceInfo not in after.Root and after.is_linearized
        assert len(after.pages) == 20


def test_what_is_small_already_is_copied(
    folder: Path, perform: Perform, listener: Listener
) -> None:
    small = pdfs.document(folder / "small.pdf")
    made = result(perform("pdf.compress", small))
    assert made.path.read_bytes() == small.read_bytes() and made.meta["copied"]
    assert "Already small: copied." in listener.infos


def test_screenshots_stay_exact_and_masks_are_left_alone(folder: Path, perform: Perform) -> None:
    pdf = pdfs.blank(1)
    lines = pyvips.Image.black(1200, 1200).draw_rect([255], 100, 100, 900, 3, fill=True)
    shot = lines.bandjoin([lines, lines]).copy(interpretation="srgb")
    drawn = pdf.make_stream(bytes(shot.write_to_memory()))
    mask = pdf.make_stream(bytes(200 * 200))
    for stream, space, edge in ((drawn, Name.DeviceRGB, 1200), (mask, Name.DeviceGray, 200)):
        stream.Type, stream.Subtype, stream.ColorSpace = Name.XObject, Name.Image, space
        stream.Width = stream.Height = edge
        stream.BitsPerComponent = 8
    drawn.SMask = mask
    pdf.pages[0].Resources.XObject = Dictionary(Im0=drawn)
    pdf.pages[0].contents_add(b"q 300 0 0 300 100 400 cm /Im0 Do Q")
    pdf.save(folder / "shot.pdf", compress_streams=False)
    made = result(perform("pdf.compress", folder / "shot.pdf", dpi=300))
    data, width, kind = picture(made.path)
    assert kind == "/FlateDecode" and width == 1200 and len(data) < 20_000


def test_a_picture_is_as_sharp_as_its_largest_place_needs(folder: Path, perform: Perform) -> None:
    halves(1200, 1200).jpegsave(str(folder / "p.jpg"), Q=95)
    pdf = pdfs.blank(2)
    stream = pdf.make_stream((folder / "p.jpg").read_bytes())
    stream.Type, stream.Subtype, stream.ColorSpace = Name.XObject, Name.Image, Name.DeviceRGB
    stream.Width = stream.Height = 1200
    stream.BitsPerComponent, stream.Filter = 8, Name.DCTDecode
    inner = pdf.make_stream(b"q 1 0 0 1 0 0 cm /Im0 Do Q")
    inner.Type, inner.Subtype, inner.BBox = Name.XObject, Name.Form, Array([0, 0, 1, 1])
    inner.Resources = Dictionary(XObject=Dictionary(Im0=stream))
    pdf.pages[0].Resources.XObject = Dictionary(Im0=stream)
    pdf.pages[0].contents_add(b"q 36 0 0 36 100 400 cm /Im0 Do Q")
    pdf.pages[1].obj.Resources = Dictionary(
        XObject=Dictionary(Fm0=inner), Font=pdf.pages[0].Resources.Font
    )
    pdf.pages[1].contents_add(b"q 0 288 -288 0 400 400 cm /Fm0 Do Q")
    pdf.save(folder / "twice.pdf")
    made = result(perform("pdf.compress", folder / "twice.pdf", dpi=100))
    assert abs(picture(made.path)[1] - 400) <= 2, "four inches, turned, on page 2"


def test_a_page_of_large_units_has_large_pictures(scan: Path, perform: Perform) -> None:
    with pikepdf.open(scan, allow_overwriting_input=True) as pdf:
        for page in pdf.pages:
            page.obj.UserUnit = 10
        pdf.save(scan)
        (before,) = pdf.pages[0].Resources.XObject.as_dict().values()
        width = int(before.Width)
    made = result(perform("pdf.compress", scan, dpi=72))
    with pikepdf.open(made.path) as pdf:
        (after,) = pdf.pages[0].Resources.XObject.as_dict().values()
        assert int(after.Width) == width


@pytest.mark.parametrize("shown_by", ["note", "pattern"])
def test_a_picture_that_a_note_or_a_pattern_shows_large_stays_sharp(
    shown_by: str, folder: Path, perform: Perform
) -> None:
    pdf = pdfs.blank(9)
    page = pdf.pages[2]  # not one of those that are compared
    photo = pdf.make_stream(halves(1200, 1200).jpegsave_buffer(Q=97))
    photo.Type, photo.Subtype, photo.ColorSpace = Name.XObject, Name.Image, Name.DeviceRGB
    photo.Width, photo.Height, photo.BitsPerComponent = 1200, 1200, 8
    photo.Filter = Name.DCTDecode
    pictures = Dictionary(XObject=Dictionary(Im0=photo))
    large = pdf.make_stream(b"q 500 0 0 500 0 0 cm /Im0 Do Q")
    large.Resources, large.BBox = pictures, Array([0, 0, 500, 500])
    page.obj.Resources = Dictionary(pictures)
    page.contents_add(b"q 36 0 0 36 300 300 cm /Im0 Do Q")
    if shown_by == "note":
        large.Type, large.Subtype = Name.XObject, Name.Form
        note = Dictionary(Type=Name.Annot, Subtype=Name.Stamp, Rect=Array([40, 40, 540, 540]))
        note.AP = Dictionary(N=large)
        page.obj.Annots = Array([pdf.make_indirect(note)])
    else:
        large.PatternType, large.PaintType, large.TilingType = 1, 1, 1
        large.XStep = large.YStep = 500
        page.obj.Resources.Pattern = Dictionary(P0=large)
    pdf.save(folder / "shared.pdf")
    with pikepdf.open(result(perform("pdf.compress", folder / "shared.pdf")).path) as made:
        assert int(made.pages[2].Resources.XObject.Im0.Width) == 1200


def test_pictures_stay_where_encoding_them_would_show(
    scan: Path, perform: Perform, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(image: Any, scale: float, **how: Any) -> Any:
        return image.thumbnail_image(800).invert()

    monkeypatch.setattr(pdf_pictures.pyvips.Image, "resize", spoil)
    made = result(perform("pdf.compress", scan))
    assert "left as they are" in listener.warnings[0]
    assert picture(made.path) == picture(scan)


def test_a_locked_one_is_not_changed(folder: Path, perform: Perform) -> None:
    from uploads.errors import InputError

    path = pdfs.locked(folder / "locked.pdf", owner="secret", modify_other=False)
    with pytest.raises(InputError) as caught:
        perform("pdf.compress", path)
    assert caught.value.code == "pdf_locked"


def test_a_signature_is_told_of_only_where_it_is_lost(
    folder: Path, perform: Perform, listener: Listener
) -> None:
    path = pdfs.form(folder / "signed.pdf")
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.Root.AcroForm.SigFlags = 3
        pdf.pages[0].PieceInfo = Dictionary(Other=pdf.make_stream(os.urandom(20_000)))
        pdf.save(path)
    smaller = perform("pdf.compress", path)[0]
    assert ["signed.pdf” was signed" in text for text in listener.warnings] == [True]
    listener.warnings.clear()
    path.write_bytes(smaller.path.read_bytes())
    assert perform("pdf.compress", path)[0].meta["copied"]
    assert listener.warnings == []
