"""A job's page in a real browser: live, complete after any break, commanded, looked at."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.intake.web import Person
from tests.live.drive import claim, fail, finish, make_job, move, plan, say, say_lines
from tests.live.mill import Mill, milling
from uploads.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.processes]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LINES = "[...document.querySelectorAll('[data-lines] li')].map(row => Number(row.dataset.seq))"


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Mill]:
    folder = tmp_path_factory.mktemp("browser")
    with django_db_blocker.unblock(), milling(folder, static=True) as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def person(mill: Mill) -> Person:
    return mill.web.newcomer()


@pytest.fixture
def job(mill: Mill, person: Person, django_db_blocker: Any) -> Iterator[Job]:
    with django_db_blocker.unblock():
        mill.rows(Job.objects.all().delete)
        made = mill.rows(make_job, mill.owner(person), files=6)
        mill.rows(plan, made)
        yield made


@pytest.fixture
def page(mill: Mill, person: Person, chromium: Browser) -> Iterator[Page]:
    """A signed-in page; the test fails when a script fails or breaks the policy."""
    context = chromium.new_context(base_url=mill.web.url, viewport={"width": 1180, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": person.session, "url": mill.web.url}])
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "console",
        lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None,
    )
    yield opened
    context.close()
    assert wrong == []


@pytest.fixture
def write(mill: Mill, job: Job) -> Iterator[Callable[..., Any]]:
    """Write numbered lines into the job's log, 200 a second, while the browser goes on."""
    with ThreadPoolExecutor(1) as writer:
        yield lambda count: writer.submit(mill.rows, say_lines, job, count, each_second=200)


def look(page: Page, job: Job) -> None:
    page.goto(f"/jobs/{job.key}/")


def live(page: Page) -> None:
    expect(page.locator("[data-link-chip]")).to_have_text("Live", timeout=15_000)


def assert_every_event_once(mill: Mill, page: Page, job: Job, last: str) -> None:
    """The page's log has every event of the job, each once, in order."""
    expect(page.locator("[data-lines] li").last).to_contain_text(last, timeout=30_000)
    stored = mill.rows(lambda: list(job.events.order_by("seq").values_list("seq", flat=True)))
    shown = page.evaluate(LINES)
    # A page that had to load anew starts with the newest 200; none is missing after that.
    assert shown == stored[stored.index(shown[0]) :]


def test_the_page_moves_by_itself(mill: Mill, page: Page, job: Job) -> None:
    look(page, job)
    live(page)
    step = mill.rows(claim, job)
    mill.rows(move, step, 0.5, "IMG_2000.jpg")
    expect(page.locator('[data-kind="work"] [data-note]')).to_contain_text("IMG_2000.jpg")
    mill.rows(finish, step)
    expect(page.locator('[data-bind="done"]').first).to_have_text("1 of 6")
    expect(page.locator("[data-newest] li")).to_have_count(1)
    expect(page.locator("[data-newest] li a")).to_have_attribute("data-kind", "image")
    # The parts may have been fetched from the page before the line told of them.
    expect(page).to_have_title(re.compile("^16% · Holiday"))


def test_failures_appear_and_the_end_shows_the_results(mill: Mill, page: Page, job: Job) -> None:
    look(page, job)
    live(page)
    mill.rows(fail, mill.rows(claim, job))
    expect(page.locator(".trouble")).to_have_count(1)
    for _ in range(5):
        mill.rows(finish, mill.rows(claim, job))
    expect(page.locator(".outcome .headline")).to_contain_text("Done, but not all of it.")
    expect(page.locator(".showpiece li")).to_have_count(5)
    expect(page.locator("#retry")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("Done, but not all of it.")
    expect(page).to_have_title(re.compile("^! Holiday"))


@pytest.mark.parametrize("trouble", ["none", "reload", "blocked", "frozen"])
def test_every_event_once_whatever_happens(
    mill: Mill, page: Page, job: Job, write: Callable[..., Any], trouble: str
) -> None:
    if trouble == "blocked":
        page.add_init_script(
            "window.WebSocket = class { static OPEN = 1; constructor() {"
            " setTimeout(() => this.onclose({ code: 1006 })) } close() {} }"
        )
    look(page, job)
    written = write(800)
    if trouble == "reload":
        for _ in range(3):
            page.wait_for_timeout(400)
            page.reload()
    if trouble == "frozen":
        page.wait_for_timeout(300)
        page.evaluate("{ const end = Date.now() + 2000; while (Date.now() < end); }")
    written.result()
    assert_every_event_once(mill, page, job, "line 799")
    if trouble == "blocked":
        expect(page.locator("[data-link-chip]")).to_have_text("Polling")


def test_every_event_once_when_the_web_process_is_killed(
    mill: Mill, page: Page, job: Job, write: Callable[..., Any]
) -> None:
    look(page, job)
    live(page)
    written = write(400)
    page.wait_for_timeout(300)
    mill.web.kill()
    mill.web.start()
    written.result()
    assert_every_event_once(mill, page, job, "line 399")


def test_a_hidden_tab_moves_only_its_title_and_is_right_when_seen(
    mill: Mill, page: Page, job: Job
) -> None:
    look(page, job)
    live(page)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    mill.rows(finish, mill.rows(claim, job))
    expect(page).to_have_title(re.compile("^16%"))
    assert page.locator('[data-bind="percent"]').text_content() == "0"
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator('[data-bind="percent"]')).to_have_text("16")


def test_commands_work_on_the_page_and_in_another_tab(mill: Mill, page: Page, job: Job) -> None:
    other = page.context.new_page()
    look(page, job)
    look(other, job)
    live(other)
    page.locator("#pause").click()
    expect(page.locator(".headline")).to_contain_text("Paused by")
    expect(other.locator("#resume")).to_be_visible()
    other.locator("#resume").click()
    expect(page.locator("#pause")).to_be_visible()
    page.locator("#cancel").click()
    page.get_by_role("button", name="Yes, cancel the job").click()
    expect(other.locator(".pill").first).to_have_text("Cancelled")


def test_a_milestone_is_spoken_once(mill: Mill, page: Page, job: Job) -> None:
    look(page, job)
    live(page)
    page.evaluate(
        "window.spoken = []; new MutationObserver(() => spoken.push(announcer.textContent))"
        ".observe(announcer, { childList: true })"
    )
    step = mill.rows(claim, job)
    for part in range(1, 10):
        mill.rows(move, step, part / 10)
    for _ in range(2):
        mill.rows(finish, step)
        step = mill.rows(claim, job)
    # Parts fetched from the page may show the number before the line has told it.
    expect(page.locator("#announcer")).to_have_text("25 percent done.")
    mill.rows(move, step, 0.5)
    expect(page.locator('[data-bind="percent"]')).to_have_text("41")
    assert page.evaluate("spoken") == ["25 percent done."]


def test_parts_rendered_earlier_take_back_nothing_that_was_told_since(
    mill: Mill, person: Person, page: Page, job: Job
) -> None:
    look(page, job)
    live(page)
    percent = page.locator('[data-bind="percent"]')
    held: list[Route] = []
    page.route(f"**/jobs/{job.key}/", lambda route: held.append(route))
    with page.expect_request(f"**/jobs/{job.key}/"):
        step = mill.rows(claim, job)
        mill.rows(move, step, 0.1)  # it runs now, and the page asks for its parts
    with mill.client(person) as client:
        earlier = client.get(f"/jobs/{job.key}/", headers={"Accept": "text/html"}).text
    page.evaluate("document.querySelector('[data-part] > *').dataset.old = 'yes'")
    mill.rows(finish, step)
    expect(percent).to_have_text("16")
    for route in held:
        route.fulfill(body=earlier, content_type="text/html")
    expect(page.locator("[data-old]")).to_have_count(0)
    assert percent.text_content() == "16"
    page.unroute_all()


def test_results_are_looked_at_with_keys_and_compared(mill: Mill, page: Page, job: Job) -> None:
    for _ in range(6):
        mill.rows(finish, mill.rows(claim, job))
    page.goto(f"/jobs/{job.key}/results/")
    page.locator(".shot a").first.click()
    viewer = page.locator("dialog.viewer")
    expect(viewer).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(viewer.locator("[data-viewer-name]")).to_have_text("IMG_2001.jpg")
    viewer.get_by_role("button", name="Before and after").click()
    slider = viewer.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(viewer.locator(".compare")).to_have_attribute("style", "--cut: 51%;")
    with page.expect_download() as one:
        viewer.get_by_role("link", name="Download").click()
    assert one.value.suggested_filename == "IMG_2001.jpg"
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    page.locator(".shot input").first.check()
    with page.expect_download() as download:
        page.locator("[data-chosen]").click()
    assert download.value.suggested_filename == "Holiday.zip"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_in_both_schemes(
    mill: Mill, person: Person, chromium: Browser, job: Job, scheme: Any
) -> None:
    context = chromium.new_context(
        base_url=mill.web.url, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    context.add_cookies([{"name": "sessionid", "value": person.session, "url": mill.web.url}])
    page = context.new_page()
    mill.rows(fail, mill.rows(claim, job))
    mill.rows(finish, mill.rows(claim, job))
    mill.rows(move, mill.rows(claim, job), 0.4, "IMG_2002.jpg")
    look(page, job)
    live(page)
    assert faults(page) == []
    mill.rows(job.cancel, "ana")
    mill.rows(finish, mill.rows(lambda: job.steps.get(state="running")))
    expect(page.locator("#delete")).to_be_visible()
    assert faults(page) == []
    page.goto(f"/jobs/{job.key}/results/")
    assert faults(page) == []
    page.goto(f"/jobs/{job.key}/results/?show=table")
    assert faults(page) == []
    context.close()


def faults(page: Page) -> list[str]:
    """Return what axe finds wrong by WCAG 2.2 AA and best practice."""
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run()")["violations"]
    return [f"{v['id']}: {n['html'][:200]}" for v in found for n in v["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(mill: Mill, page: Page, job: Job, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 800})
    mill.rows(say, job, "a-very-long-word-without-any-space" * 9)
    look(page, job)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    clipped = "row => row.scrollWidth > row.clientWidth"
    assert page.locator("[data-lines] li").evaluate_all(f"rows => rows.some({clipped})") is False
