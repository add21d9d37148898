"""Sound in the browser: dropped, made evenly loud, heard and seen on the job's page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.operations.conftest import ffmpeg

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 60_000
SPOKEN = "0.1*sin(1500*t)*lt(mod(t,1),0.7)"


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    made = []
    for number in (1, 2):
        path = tmp_path / f"Interview {number}.flac"
        ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{SPOKEN}':d={4 * number}", str(path))
        made.append(path)
    return made


def convert(page: Page, files: list[Path], preset: str) -> None:
    """Drop sound files and start the operation; returns when the page says that all is done."""
    page.set_input_files("[data-input=files]", files)
    chosen = page.locator(".operation", has=page.locator("[value='audio.convert']"))
    expect(chosen).to_contain_text("sound file")
    chosen.locator("input").check()
    panel = page.locator("[data-panel='audio.convert']")
    panel.locator(f"[value={preset}][name$=preset]").check()
    page.locator("[data-startbar] [data-start]").click()
    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)


def heard(page: Page, place: str) -> None:
    """Play the sound there, muted, until its time moves."""
    moved = """async (sound) => {
      sound.muted = true;
      const seen = new Promise((resolve) => {
        sound.ontimeupdate = () => sound.currentTime > 0.3 && resolve(sound.currentTime);
      });
      await sound.play();
      return seen;
    }"""
    assert page.locator(place).evaluate(moved) > 0.3


def test_a_recording_is_made_evenly_loud_and_plays_on_its_page(
    open_page: OpenPage, recordings: list[Path]
):
    page = open_page()
    convert(page, recordings[:1], "podcast")

    expect(page.locator(".player .wave")).to_be_visible()
    heard(page, ".player audio")
    expect(page.locator("body")).to_contain_text(re.compile(r"Loudness −\d+.\d → −1[56].\d LUFS"))


def test_several_are_looked_at_and_heard_one_after_another(
    open_page: OpenPage, recordings: list[Path]
):
    page = open_page()
    convert(page, recordings, "wav")

    page.locator("[data-viewer] a[data-name='Interview 1.wav']").click()
    expect(page.locator(".viewer-stage .heard img")).to_be_visible()
    heard(page, ".viewer-stage audio")
    page.locator("[data-viewer-next]").click()
    expect(page.locator("[data-viewer-name]")).to_have_text("Interview 2.wav")
    heard(page, ".viewer-stage audio")
