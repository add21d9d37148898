"""Several operations in one job, chosen in the browser, with and without scripts."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_pages import PATIENCE_MS, START, _barriers

pytestmark = [pytest.mark.browser, pytest.mark.processes]

FILES = "[data-input=files]"
ADD = "[data-add-link]"


def _bring(page: Page, files: list[Path]) -> None:
    page.set_input_files(FILES, files)
    expect(page.locator(".file .here")).to_have_count(len(files), timeout=PATIENCE_MS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_results_of_one_operation_go_on_to_the_next(
    open_page: OpenPage, photos: list[Path], scheme: str
):
    page = open_page(color_scheme=scheme)
    _bring(page, photos)
    page.locator("[name='operation'][value='image.convert']").check(force=True)
    page.locator(ADD).click()
    page.locator("#then-1").select_option("image.sheet")
    expect(page.locator("[data-panel='then-1-image.sheet']")).to_be_visible()
    page.locator("[data-panel='then-1-image.sheet'] details.options summary").click()
    page.locator("[name='then-1-image.sheet-columns']").fill("2")
    expect(page.locator("[data-summary]")).to_contain_text(
        "Convert pictures → Contact sheets: 3 photos"
    )
    assert _barriers(page) == []
    page.locator(START).click()

    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".outcome [data-viewer] .shot")).to_have_count(1)
    expect(page.locator(".job-line")).to_contain_text("→ Contact sheets")

    page.get_by_role("link", name="Run again").click()
    expect(page.locator("#then-1")).to_have_value("image.sheet")
    expect(page.locator("[name='then-1-image.sheet-columns']")).to_have_value("2")


def test_an_operation_can_be_taken_back(open_page: OpenPage, photos: list[Path]):
    page = open_page()
    _bring(page, photos)
    page.locator(ADD).click()
    page.locator("#then-1").select_option("image.watermark")
    page.locator(ADD).click()
    expect(page.locator("[data-follow-up]")).to_have_count(2)
    page.locator("[data-follow-up='1'] [data-remove-link]").click()
    expect(page.locator("[data-follow-up]")).to_have_count(1)
    expect(page.locator("[data-summary]")).not_to_contain_text("→")


def test_a_fault_in_a_later_operation_is_shown_there(open_page: OpenPage, photos: list[Path]):
    page = open_page()
    _bring(page, photos)
    page.locator(ADD).click()
    page.locator("#then-1").select_option("image.sheet")
    page.locator("[data-panel='then-1-image.sheet'] details.options summary").click()
    page.locator("[name='then-1-image.sheet-columns']").fill("")
    page.locator(START).click()
    expect(page.locator("[data-follow-up] .notice.error")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("[data-follow-up] .errorlist")).to_contain_text("a value is missing")


def test_without_scripts_it_works_as_well(open_page: OpenPage, photos: list[Path]):
    page = open_page(java_script_enabled=False)
    page.set_input_files("#files", photos)
    page.locator("[name='operation'][value='image.convert']").check(force=True)
    page.locator(ADD).click()
    expect(page.locator(".file")).to_have_count(len(photos))
    page.locator("#then-1").select_option("image.sheet")
    page.locator("button[name=add][value=show]").click()
    expect(page.locator("[data-panel='then-1-image.sheet']")).to_be_visible()
    page.locator("[data-startbar] [data-start]").click()
    expect(page.locator(".job-line")).to_contain_text("→ Contact sheets", timeout=PATIENCE_MS)
