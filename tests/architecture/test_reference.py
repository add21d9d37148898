"""The reference in docs says what the code says: every setting, every error, every door."""

import re
from pathlib import Path

import pytest

from scripts.reference import PAGES, api_page, errors_page, settings_page, write
from uploads.catalogue import CATALOGUE
from uploads.conf import SETTINGS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_as_the_code_says(name: str) -> None:
    """`python -m scripts.reference` writes it anew."""
    assert (ROOT / "docs" / "reference" / name).read_text() == PAGES[name]()


def test_every_setting_is_described() -> None:
    page = settings_page()
    for setting in SETTINGS:
        assert f"`TIDEMILL_{setting.name}`" in page
        assert setting.help
        assert setting.unit


def test_every_error_is_described() -> None:
    page = errors_page()
    for code, entry in CATALOGUE.items():
        assert f"`{code}`" in page
        assert entry.sentence.endswith((".", "}"))
        assert entry.fix


def test_every_error_is_raised_somewhere() -> None:
    sources = [*(ROOT / "uploads").rglob("*.py"), *(ROOT / "project").rglob("*.py")]
    text = "\n".join(path.read_text() for path in sources if path.parent.name != "catalogue")
    unused = [code for code in CATALOGUE if not re.search(rf"\"{code}\"", text)]
    assert unused == []


def test_every_code_that_is_raised_is_in_the_catalogue() -> None:
    raised = re.compile(r"(?:RequestError|InputError|StepError|TidemillError)\(\s*\"(\w+)\"")
    found = {
        code
        for path in (ROOT / "uploads").rglob("*.py")
        for code in raised.findall(path.read_text())
    }
    assert found
    assert found <= set(CATALOGUE)


def test_every_door_of_the_api_is_described() -> None:
    page = api_page()
    for word in ("Idempotency-Key", "`next`", "Bearer", "/metrics", "/healthz"):
        assert word in page


def test_every_measure_is_described(db: None) -> None:
    from uploads.pages.metrics import gauges

    for gauge in gauges():
        assert f"`{gauge.name}`" in api_page()


def test_the_script_writes_the_pages(tmp_path: Path) -> None:
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(PAGES)
