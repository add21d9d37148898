"""PDFs in the browser: pages chosen whatever the preset, each seen as itself; several become one."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.operations import pdfs

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 90_000


def choose(page: Page, files: list[Path], operation: str) -> None:
    page.set_input_files("[data-input=files]", files)
    page.locator(".operation", has=page.locator(f"[value='{operation}']")).click()


def start(page: Page) -> None:
    page.locator("[data-startbar] [data-start]").click()
    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)


def test_chosen_pages_are_drawn_and_each_is_seen_as_itself(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    choose(page, [pdfs.document(tmp_path / "Report.pdf", 12)], "pdf.pages")
    panel = page.locator("[data-panel='pdf.pages']")
    pages = panel.get_by_label("Which pages?")
    pages.fill("2-3, 11-")
    panel.locator("[value=web][name$=preset]").check()
    expect(pages).to_have_value("2-3, 11-")
    start(page)

    shown = page.locator("[data-viewer] a[data-name]")
    expect(shown).to_have_count(4)
    names = sorted(str(shown.nth(place).get_attribute("data-name")) for place in range(4))
    assert names == ["Report-02.jpg", "Report-03.jpg", "Report-11.jpg", "Report-12.jpg"]
    pictures = page.locator("[data-viewer] a[data-name] img")
    assert len({pictures.nth(place).get_attribute("src") for place in range(4)}) == 4


def test_several_become_one_and_one_that_is_closed_says_why(
    open_page: OpenPage, tmp_path: Path
) -> None:
    files = [pdfs.document(tmp_path / f"{name}.pdf", 2) for name in ("First", "Second")]
    page = open_page()
    choose(page, files, "pdf.merge")
    start(page)
    expect(page.locator("[data-viewer] a[data-name$='.pdf'] img")).to_have_count(1)

    closed = pdfs.locked(tmp_path / "Closed.pdf", owner="one", user="two")
    page.goto("/")
    choose(page, [closed], "pdf.text")
    page.locator("[data-startbar] [data-start]").click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    told = page.locator("body")
    expect(told).to_contain_text("opens with a password only", timeout=PATIENCE_MS)


def test_a_scan_becomes_a_document_with_text(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    lines = ["Dear Mrs Miller,", "the harvest of the northern valley is in.", "Yours, Ada"]
    choose(page, [pdfs.scan(tmp_path / "Letter.pdf", [lines, lines])], "pdf.ocr")
    panel = page.locator("[data-panel='pdf.ocr']")
    panel.locator("[value=both][name$=preset]").check()
    expect(panel.get_by_label("Languages of the text")).to_have_value("eng")
    start(page)
    expect(page.locator("[data-viewer] a[data-name='Letter.pdf'] img")).to_have_count(1)
    text = page.locator("[data-viewer] a[data-name='Letter.txt']").get_attribute("href")
    assert "northern valley" in page.request.get(str(text)).text()
