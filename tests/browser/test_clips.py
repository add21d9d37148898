"""Clips in the browser: the times in plain sight, whatever preset is chosen."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.operations.conftest import H264, ffmpeg, moving, sounding

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 60_000


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "Evening.mp4"
    ffmpeg(*moving(8), *sounding(8), *H264, "-g", "30", "-c:a", "aac", str(path))
    return path


def test_times_are_written_once_and_hold_for_every_preset(open_page: OpenPage, film: Path):
    page = open_page()
    page.set_input_files("[data-input=files]", film)
    page.locator(".operation", has=page.locator("[value='video.clip']")).click()
    panel = page.locator("[data-panel='video.clip']")
    times = panel.get_by_label("Which times?")
    expect(times).to_be_visible()
    times.fill("0:01-0:03, 0:05-0:06.5")
    panel.locator("[value=fast][name$=preset]").check()
    expect(times).to_have_value("0:01-0:03, 0:05-0:06.5")
    panel.locator("[value=exact][name$=preset]").check()
    page.locator("[data-startbar] [data-start]").click()

    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    names = page.locator("[data-viewer] a[data-name]")
    expect(names.first).to_have_attribute("data-name", re.compile("Evening-00m0[15].*mp4"))
    expect(names).to_have_count(2)
    shown = page.locator("[data-viewer] a[data-name] img")
    assert len({shown.nth(place).get_attribute("src") for place in range(2)}) == 2
