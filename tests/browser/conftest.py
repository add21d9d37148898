"""A real Chromium before a real server; each test has its own person and its own window."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.mill import Mill, Person, milling

SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ACTION_MS = 20_000

OpenPage = Callable[..., Page]


@pytest.fixture(autouse=True)
def _own_databases(django_db_blocker: Any) -> Iterator[None]:
    """These tests use the server's database, never the test run's own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="session")
def mill(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Mill]:
    folder = tmp_path_factory.mktemp("browser")
    with django_db_blocker.unblock(), milling(folder) as running:
        yield running


def find_chromium() -> str | None:
    """Return TIDEMILL_CHROMIUM, a system browser, or None for Playwright's own."""
    given = os.environ.get("TIDEMILL_CHROMIUM")
    found = (shutil.which(name) for name in SYSTEM_BROWSERS)
    return given or next(filter(None, found), None)


@pytest.fixture(scope="session")
def browser(mill: Mill) -> Iterator[Browser]:
    """The browser ends before the server: rows can't be closed beside its running loop."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def person(mill: Mill) -> Person:
    return mill.newcomer()


@pytest.fixture
def open_page(browser: Browser, mill: Mill, person: Person) -> Iterator[OpenPage]:
    """Open a window of somebody (the test's person, another, or nobody) at an address.

    The test fails when the page's script fails or breaks the content security policy.
    """
    windows: list[BrowserContext] = []
    faults: list[str] = []

    def opened(path: str = "/", who: Person | None = person, **options: Any) -> Page:
        window = browser.new_context(base_url=mill.address, **options)
        windows.append(window)
        if who is not None:
            window.add_cookies([{"name": "sessionid", "value": who.session, "url": mill.address}])
        window.set_default_timeout(ACTION_MS)
        page = window.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda said: faults.append(said.text) if "Content Security" in said.text else None,
        )
        page.goto(path)
        return page

    yield opened
    for window in windows:
        window.close()
    assert faults == []


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Three small pictures in a folder called `trip`."""
    from PIL import Image

    folder = tmp_path / "trip"
    folder.mkdir()
    paths = [folder / f"IMG_{number}.jpg" for number in range(3)]
    for number, path in enumerate(paths):
        Image.new("RGB", (320, 240), (40 * number, 120, 160)).save(path)
    return paths


FIRST = ("test_job_live.py", "test_pages.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the live page's tests come first, and the first start before there is an administrator.

    The live page's tests close their own browser and server again; the others share one for
    the whole run, and Playwright takes only one at a time in a thread.
    """
    items.sort(key=lambda item: FIRST.index(name) if (name := item.path.name) in FIRST else 2)
