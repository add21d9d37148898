"""Pictures looked at: before and after in step by keys and pointer, and zoomed into tile by tile."""

import re
from pathlib import Path
from typing import Any

import pytest
import pyvips
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 90_000


def picture(path: Path, width: int, height: int) -> Path:
    """Write a picture, red on the left, that gets bluer to the right."""
    across = pyvips.Image.xyz(width, height)[0] * (255 / width)
    bands = (255 - across).bandjoin([across * 0, across])
    bands.cast("uchar").copy(interpretation="srgb").write_to_file(str(path))
    return path


def done(page: Page, file: Path, operation: str) -> None:
    page.set_input_files("[data-input=files]", [file])
    page.locator(".operation", has=page.locator(f"[value='{operation}']")).click()
    page.locator("[data-startbar] [data-start]").click()
    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)


def place(shown: Locator) -> list[float]:
    """Return where a picture lies in its own pane, and how large it is drawn, once that is done."""
    shown.page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    found: list[float] = shown.evaluate(
        """(it) => {
          const pane = it.closest(".pane").getBoundingClientRect(), box = it.getBoundingClientRect();
          return [box.left - pane.left, box.top - pane.top, box.width, box.height].map(Math.round);
        }"""
    )
    return found


def test_before_and_after_move_in_step_by_keys(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    done(page, picture(tmp_path / "Sea.png", 2400, 1600), "image.convert")
    page.locator("[data-viewer] a[data-name]").first.click()
    page.get_by_role("button", name="Before and after").click()
    old, new = page.locator(".pane.old"), page.locator(".pane.new")
    expect(old).to_contain_text("Before 2400 × 1600")
    expect(new).to_contain_text("After 1600 × 1067")

    slider = page.get_by_role("slider")
    expect(slider).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("51")
    page.keyboard.press("1")
    expect(page.locator(".compare output")).to_have_text("100%")
    assert place(old.locator("img"))[2] == 2400, "its own size is that of the larger one"

    page.get_by_role("button", name="Side by side").click()
    expect(slider).to_be_hidden()
    before = place(old.locator("img"))
    page.get_by_role("group", name="Sea").focus()
    page.keyboard.press("ArrowRight")
    assert place(old.locator("img")) == place(new.locator("img"))
    assert place(old.locator("img"))[0] == before[0] - 80
    expect(page.locator("[data-viewer-place]")).to_have_text("1 of 1")
    page.keyboard.press("0")
    assert place(new.locator("img"))[2] < 1200


def middle(page: Page) -> list[int]:
    """Return the colour in the middle of what is drawn."""
    found: Any = page.locator("deep-zoom canvas").evaluate(
        """(it) => [...it.getContext("2d").getImageData(it.width / 2, it.height / 2, 1, 1).data]"""
    )
    return [int(value) for value in found]


def test_a_large_picture_is_zoomed_into_tile_by_tile(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    done(page, picture(tmp_path / "Map.png", 5000, 3000), "image.zoom")
    fetched: list[str] = []
    page.on("request", lambda asked: fetched.append(asked.headers.get("range", "")))
    page.locator("[data-viewer] a[data-name]").first.click()
    scale = page.locator("deep-zoom output")
    expect(scale).to_have_text(re.compile(r"[\d.]+%"))
    page.wait_for_function(
        """() => { const it = document.querySelector("deep-zoom canvas");
          return it.getContext("2d").getImageData(it.width / 2, it.height / 2, 1, 1).data[3] === 255; }"""
    )
    red, _, blue, _ = middle(page)
    assert abs(red - 128) < 12 and abs(blue - 128) < 12
    fitted = scale.inner_text()

    page.keyboard.press("1")
    expect(scale).to_have_text("100%")
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        """() => { const it = document.querySelector("deep-zoom canvas");
          return it.getContext("2d").getImageData(9, it.height / 2, 1, 1).data[0] > 250; }"""
    )
    ranges = [asked for asked in fetched if asked]
    assert ranges and len(ranges) == len(set(ranges)), "each tile is fetched once"
    assert len(ranges) < 60, "only those that are seen"
    page.get_by_role("button", name="Show the whole picture").click()
    expect(scale).to_have_text(fitted)
    page.keyboard.press("Escape")
    expect(page.locator("deep-zoom")).to_have_count(0)
