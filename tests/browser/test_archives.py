"""Archives in the browser: dropped, unpacked by a pattern, seen as files; compared with a list."""

import hashlib
import re
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 60_000


def choose(page: Page, files: list[Path], operation: str) -> None:
    """Drop files and open an operation's card."""
    page.set_input_files("[data-input=files]", files)
    chosen = page.locator(".operation", has=page.locator(f"[value='{operation}']"))
    expect(chosen).to_be_visible()
    chosen.locator("input").check()


def start(page: Page) -> None:
    page.locator("[data-startbar] [data-start]").click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))


@pytest.fixture
def holiday(tmp_path: Path) -> Path:
    """A ZIP of two pictures in folders and a text."""
    path = tmp_path / "holiday.zip"
    with ZipFile(path, "w") as made:
        for name, colour in (("day 1/beach.png", "teal"), ("day 2/hill.png", "olive")):
            picture = tmp_path / "picture.png"
            Image.new("RGB", (640, 400), colour).save(picture)
            made.write(picture, name)
        made.writestr("notes.txt", "Sun.\n")
    return path


def test_the_pictures_of_an_archive_come_out_in_their_folders(
    open_page: OpenPage, holiday: Path, tmp_path: Path
) -> None:
    page = open_page()
    choose(page, [holiday], "archive.unpack")
    page.get_by_label("Take", exact=True).fill("*.png")
    start(page)
    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    for name in ("beach.png", "hill.png"):
        expect(page.get_by_text(name).first).to_be_visible()
    expect(page.get_by_text("notes.txt")).to_have_count(0)
    with page.expect_download() as download:
        page.locator("a[href*='results.zip']").first.click()
    download.value.save_as(tmp_path / "all.zip")
    with ZipFile(tmp_path / "all.zip") as made:
        assert made.namelist() == ["holiday/day 1/beach.png", "holiday/day 2/hill.png"]


def test_files_are_compared_with_a_chosen_list(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("as it was")
    (tmp_path / "b.txt").write_text("as it is")
    lines = [f"{hashlib.sha256(b'as it was').hexdigest()}  {name}\n" for name in ("a.txt", "b.txt")]
    (tmp_path / "SHA256SUMS").write_text("".join(lines))
    page = open_page()
    choose(page, [tmp_path / name for name in ("a.txt", "b.txt", "SHA256SUMS")], "archive.verify")
    start(page)
    expect(page.locator(".outcome")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("body")).to_contain_text("1 changed: b.txt.")
