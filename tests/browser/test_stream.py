"""A stream in the browser: watched while it is being made, and when it is done."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.operations.conftest import H264, ffmpeg, moving, sounding

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 120_000
CODECS = 'video/mp4; codecs="avc1.64001f,mp4a.40.2"'
PLAYS = f"() => MediaSource.isTypeSupported('{CODECS}')"
AHEAD = "at => document.querySelector('video').currentTime > at"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "Evening.mp4"
    moved = moving(40, rate=25, size="640x360")
    ffmpeg(*moved, *sounding(40), *H264, "-g", "50", "-c:a", "aac", str(path))
    return path


def job_state(page: Page, key: str) -> Any:
    return page.evaluate("key => fetch(`/jobs/${key}/state`).then(a => a.json())", key)["state"][
        "state"
    ]


def test_a_stream_is_watched_while_it_is_being_made(open_page: OpenPage, film: Path):
    page = open_page()
    page.set_input_files("[data-input=files]", film)
    page.locator(".operation", has=page.locator("[value='video.hls']")).click()
    panel = page.locator("[data-panel='video.hls']")
    panel.locator("details summary").first.click()
    panel.get_by_label("Qualities").fill("360, 180")
    panel.get_by_label("Speed").select_option("slower")
    page.locator("[data-startbar] [data-start]").click()
    page.wait_for_url("**/jobs/*/")
    key = page.url.rstrip("/").rpartition("/")[2]
    page.get_by_role("link", name="Evening.mp4").click()

    words = page.locator("[data-words]")
    expect(words).to_contain_text("can be watched already", timeout=PATIENCE_MS)
    if not page.evaluate(PLAYS):
        pytest.skip("this browser plays no H.264: the stream's files were asked for, not seen")
    page.locator("video").evaluate("video => { video.muted = true; video.play(); }")
    page.wait_for_function(AHEAD, arg=1.0, timeout=PATIENCE_MS)
    assert job_state(page, key) == "running", "it played before all of it was there"

    expect(words).to_contain_text("It is done: 0:40", timeout=PATIENCE_MS)
    page.locator("video").evaluate("video => { video.currentTime = 35; }")
    page.wait_for_function(AHEAD, arg=36.0, timeout=PATIENCE_MS)
    page.locator("[data-quality] select").select_option(label="180p")
    page.wait_for_function(
        "() => document.querySelector('video').videoHeight === 180", timeout=PATIENCE_MS
    )

    page.reload()
    expect(words).to_contain_text("40 s", timeout=PATIENCE_MS)
    expect(page.get_by_role("heading", name="On your own web page")).to_be_visible()
