"""`file.inspect` of a PDF: pages, sizes, version, title, locks, and how its first page looks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf

from tests.operations import pdfs
from tests.operations.conftest import Told
from uploads.operations.pdf_file import reason

PDF = "application/pdf"


def told(child: Callable[..., Told], path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the facts and the roles of all that was made, as the sandboxed child tells them."""
    said = child("file.inspect", path, media_type=PDF)
    assert said.codes == []
    outputs = said.of("output")
    return json.loads(Path(outputs[0]["path"]).read_text()), [made["role"] for made in outputs]


def test_pages_sizes_version_and_title(child: Callable[..., Told], tmp_path: Path) -> None:
    pdf = pdfs.blank(3, [(595, 842), (595, 842), (842, 595)])
    pdf.docinfo[pikepdf.Name.Title] = "Tides of the Mill"
    pdf.save(tmp_path / "book.pdf", force_version="1.6")
    facts, roles = told(child, tmp_path / "book.pdf")
    assert roles == ["report", "preview", "preview"]
    assert (facts["pages"], facts["version"], facts["title"]) == (3, "1.6", "Tides of the Mill")
    assert facts["page_size"] == "210 × 297 mm"
    assert facts["page_sizes"] == {"210 × 297 mm": 2, "297 × 210 mm": 1}
    assert not facts["encrypted"] and not facts["form"]


def test_what_its_author_forbids(child: Callable[..., Told], tmp_path: Path) -> None:
    path = pdfs.locked(tmp_path / "locked.pdf", owner="secret", extract=False)
    facts, _ = told(child, path)
    assert facts["encrypted"] and not facts["needs_password"]
    assert "read out" in facts["forbidden"] and "drawn" not in facts["forbidden"]


def test_one_that_needs_a_password_says_so(child: Callable[..., Told], tmp_path: Path) -> None:
    path = pdfs.locked(tmp_path / "closed.pdf", owner="one", user="two")
    facts, roles = told(child, path)
    assert facts["needs_password"] and roles == ["report", "preview"]


def test_a_damaged_one_is_told_of(child: Callable[..., Told], tmp_path: Path) -> None:
    path = pdfs.document(tmp_path / "cut.pdf")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"xref")])
    said = child("file.inspect", path, media_type=PDF)
    (warning,) = [log for log in said.of("log") if log["level"] == "warning"]
    assert "“cut.pdf” is damaged and was repaired" in warning["text"]


def test_no_path_of_the_server_is_told() -> None:
    told = "/srv/mill data/in/3/source.pdf: root of pages tree has no /Kids array"
    assert reason(told) == "root of pages tree has no /Kids array."
    told = "/srv/in/3/source-12.pdf (object 3 0, offset 15): odd key"
    assert reason(told) == "(object 3 0, offset 15): odd key."
