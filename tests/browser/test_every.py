"""What every operation has: names of the results, a sample first, options of single files."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_pages import PATIENCE_MS, START, _barriers

pytestmark = [pytest.mark.browser, pytest.mark.processes]

FILES = "[data-input=files]"
SAMPLE = "[data-startbar] [data-sample]"


@pytest.fixture
def many(tmp_path: Path) -> list[Path]:
    """Eight pictures of which no two are alike in size."""
    from PIL import Image

    paths = [tmp_path / f"DSC_{number}.jpg" for number in range(8)]
    for number, path in enumerate(paths):
        Image.effect_noise((80 * number + 80, 120), 40).convert("RGB").save(path)
    return paths


def _bring(page: Page, files: list[Path]) -> None:
    page.set_input_files(FILES, files)
    expect(page.locator(".file .here")).to_have_count(len(files), timeout=PATIENCE_MS)


def test_the_example_follows_the_pattern_and_the_results_are_called_so(
    open_page: OpenPage, photos: list[Path]
):
    page = open_page()
    _bring(page, photos)
    example = page.locator("#names-example")
    page.locator("[value=webp][name='image.convert-preset']").check()
    expect(example).to_contain_text("IMG_0.webp")
    page.locator("#names").fill("trip-{n:3} {preset}")
    expect(example).to_contain_text("trip-001 webp.webp")
    page.locator(START).click()

    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    page.goto(f"{page.url}results/")
    names = page.locator("[data-viewer] a[data-name]")
    expect(names).to_have_count(3, timeout=PATIENCE_MS)
    assert [names.nth(place).get_attribute("data-name") for place in range(3)] == [
        "trip-001 webp.webp",
        "trip-002 webp.webp",
        "trip-003 webp.webp",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_sample_foretells_the_whole_job_and_leads_to_it(
    open_page: OpenPage, many: list[Path], scheme: str
):
    page = open_page(color_scheme=scheme)
    _bring(page, many)
    expect(page.locator(SAMPLE)).to_have_text("Try on 3 files first")
    page.locator(SAMPLE).click()

    expect(page.locator(".prediction")).to_contain_text("All 8 files", timeout=PATIENCE_MS)
    expect(page.locator(".prediction")).to_contain_text("make about")
    assert _barriers(page) == []
    page.get_by_role("link", name="Change the options").click()
    expect(page.locator(".file .here")).to_have_count(8, timeout=PATIENCE_MS)
    page.go_back()
    page.locator("#run-all").click()
    expect(page.locator(".outcome.succeeded")).to_contain_text("8 done", timeout=PATIENCE_MS)


def test_a_sample_is_offered_only_where_it_would_try_less_than_all(
    open_page: OpenPage, many: list[Path]
):
    page = open_page()
    _bring(page, many[:3])
    expect(page.locator(SAMPLE)).to_be_hidden()
    page.set_input_files(FILES, many[3])
    expect(page.locator(SAMPLE)).to_be_visible()


def test_without_scripts_a_sample_is_a_button_of_the_form(open_page: OpenPage, many: list[Path]):
    page = open_page(java_script_enabled=False)
    page.locator("#files").set_input_files(many)
    page.locator("[name=operation][value='image.convert']").check()
    page.get_by_role("button", name="Try a sample first").click()
    expect(page.locator("#sample-title")).to_contain_text("3 of 8 files", timeout=PATIENCE_MS)
    expect(page.locator("#run-all")).to_be_visible(timeout=PATIENCE_MS)


def _options_of(page: Page, name: str) -> Locator:
    """Open the dialog of one file's options."""
    page.get_by_role("button", name=f"Other options for {name}").click()
    dialog = page.get_by_role("dialog", name="Options for one file")
    expect(dialog).to_be_visible()
    return dialog


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_file_gets_other_options_than_the_rest(
    open_page: OpenPage, photos: list[Path], scheme: str
):
    page = open_page(color_scheme=scheme)
    _bring(page, photos)
    page.locator("[value=webp][name='image.convert-preset']").check()
    dialog = _options_of(page, "IMG_1.jpg")
    expect(dialog.get_by_label("Format")).to_have_value("webp")
    assert _barriers(page) == []
    dialog.get_by_label("Format").select_option("png")
    dialog.get_by_role("button", name="Use for this file").click()
    expect(page.locator(".file", has_text="IMG_1.jpg")).to_contain_text("Own options: Format PNG")
    page.locator(START).click()

    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    page.goto(f"{page.url}results/")
    names = page.locator("[data-viewer] a[data-name]")
    expect(names).to_have_count(3, timeout=PATIENCE_MS)
    made = [names.nth(place).get_attribute("data-name") for place in range(3)]
    assert made == ["IMG_0.webp", "IMG_1.png", "IMG_2.webp"]
    expect(page.locator(".own-words")).to_have_text("Own options: Format PNG")


def test_own_options_are_taken_back_or_left_as_they_were(open_page: OpenPage, photos: list[Path]):
    page = open_page()
    _bring(page, photos)
    row = page.locator(".file", has_text="IMG_1.jpg")
    dialog = _options_of(page, "IMG_1.jpg")
    dialog.get_by_label("Quality").fill("40")
    dialog.get_by_role("button", name="Use for this file").click()
    expect(row).to_contain_text("Own options: Quality 40")
    dialog = _options_of(page, "IMG_1.jpg")
    expect(dialog.get_by_label("Quality")).to_have_value("40")
    dialog.get_by_label("Quality").fill("50")
    page.keyboard.press("Escape")
    expect(row).to_contain_text("Own options: Quality 40")
    page.locator("[name=operation][value='image.watermark']").check(force=True)
    expect(row).not_to_contain_text("Own options")
    page.locator("[name=operation][value='image.convert']").check(force=True)
    expect(row).to_contain_text("Own options: Quality 40")
    _options_of(page, "IMG_1.jpg").get_by_role("button", name="As the others").click()
    expect(row).not_to_contain_text("Own options")
