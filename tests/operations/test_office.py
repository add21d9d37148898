"""`office.pdf`: LibreOffice prints what office programs write; skipped where it is not installed."""

from collections.abc import Callable
from pathlib import Path

import pikepdf
import pypdfium2
import pytest

from tests.operations import offices, pdfs
from tests.operations.conftest import Told, flat
from uploads.operations import office
from uploads.sniff import sniff

pytestmark = pytest.mark.skipif(
    office.program() is None or not office.prints_sheets(),
    reason="LibreOffice is not installed: office files are not tested (apt install libreoffice)",
)

MAKERS = {
    "letter.docx": offices.docx,
    "letter.odt": offices.odt,
    "letter.rtf": offices.rtf,
    "slides.odp": offices.odp,
    "table.xlsx": offices.xlsx,
}


def printed(child: Callable[..., Told], source: Path, **options: bool) -> Path:
    kind = sniff(source, source.name).media_type
    told = child("office.pdf", source, media_type=kind, options=options)
    assert not told.of("error"), told.of("error")
    (made,) = [o for o in told.of("output") if o["role"] == "result"]
    return Path(made["path"])


def text_of(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as document:
        return "\n".join(str(page.get_textpage().get_text_range()) for page in document)


@pytest.mark.parametrize("name", MAKERS)
def test_each_kind_is_printed(name: str, child: Callable[..., Told], tmp_path: Path) -> None:
    made = printed(child, MAKERS[name](tmp_path / name))
    assert offices.WORDS in text_of(made)
    assert pdfs.count(made) == 2 if name == "slides.odp" else pdfs.count(made) >= 1


def test_for_archives(child: Callable[..., Told], tmp_path: Path) -> None:
    made = printed(child, offices.docx(tmp_path / "letter.docx"), archive=True)
    with pikepdf.open(made) as pdf, pdf.open_metadata() as metadata:
        assert metadata.pdfa_status == "2B"


def test_a_page_for_each_sheet(child: Callable[..., Told], tmp_path: Path) -> None:
    source = offices.xlsx(tmp_path / "table.xlsx")
    whole = pdfs.count(printed(child, source, whole_sheets=True))
    assert whole == 2


def test_sheets_are_cut_into_paper_otherwise(child: Callable[..., Told], tmp_path: Path) -> None:
    assert pdfs.count(printed(child, offices.xlsx(tmp_path / "table.xlsx"))) > 2


def test_what_it_names_elsewhere_is_not_read(child: Callable[..., Told], tmp_path: Path) -> None:
    # Without the sandbox LibreOffice puts this picture into the PDF.
    secret = flat(60, 60, 200, 30, 30)
    secret.pngsave(str(tmp_path / "secret.png"))
    link = f'xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{(tmp_path / "secret.png").as_uri()}"'
    frame = f'<draw:frame svg:width="5cm" svg:height="5cm"><draw:image {link}/></draw:frame>'
    source = tmp_path / "letter.odt"
    offices.open_document(
        source, "text", f"<text:p>{offices.WORDS}</text:p><text:p>{frame}</text:p>"
    )
    made = printed(child, source)
    assert offices.WORDS in text_of(made)
    with pikepdf.open(made) as pdf:
        assert not pdf.pages[0].get_images()


@pytest.mark.parametrize(
    "content", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"PK\3\4" + b"word/" * 99]
)
def test_what_can_not_be_opened_is_told(
    content: bytes, child: Callable[..., Told], tmp_path: Path
) -> None:
    source = tmp_path / "broken.doc"
    source.write_bytes(content)
    (error,) = child("office.pdf", source, media_type=office.TEXTS[0]).of("error")
    assert error["code"] == "office_unreadable"
