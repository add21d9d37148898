"""The console in a real browser: live rows, commands by mouse and without scripts, no barriers, phones."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.mill import Mill, Person
from tests.browser.test_pages import _barriers
from uploads.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.processes]

JOBS = "/admin/uploads/job/"
PAGES = ("/admin/", JOBS, f"{JOBS}failures/", "/admin/uploads/worker/", "/admin/admin/logentry/")
PATIENCE_MS = 60_000


@pytest.fixture
def boss(mill: Mill) -> Person:
    return mill.newcomer(is_staff=True, is_superuser=True)


def _paused(owner: int, name: str) -> str:
    """Return the key of a job of no files that waits for a person."""
    job = Job.objects.create(owner_id=owner, name=name, items_total=1)
    job.pause("nobody")
    return job.key


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_console_has_no_barrier(open_page: OpenPage, mill: Mill, boss: Person, scheme: str):
    key = mill.rows(_paused, boss.pk, "Barrier-free")
    page = open_page("/admin/", boss, color_scheme=scheme)
    found = {}
    for path in (*PAGES, f"{JOBS}{key}/change/"):
        page.goto(path)
        found[path] = _barriers(page)
    assert {path: barriers for path, barriers in found.items() if barriers} == {}


def test_no_page_of_the_console_is_wider_than_a_phone(
    open_page: OpenPage, mill: Mill, boss: Person
):
    key = mill.rows(_paused, boss.pk, "Narrow")
    page = open_page("/admin/", boss, viewport={"width": 390, "height": 844})
    widths = {}
    for path in (*PAGES, f"{JOBS}{key}/change/"):
        page.goto(path)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
    assert {path: width for path, width in widths.items() if width > 390} == {}


def test_the_list_brings_new_jobs_and_keeps_what_is_ticked(
    open_page: OpenPage, mill: Mill, boss: Person
):
    page = open_page(f"{JOBS}?owner={boss.name}", boss)
    expect(page.get_by_text("No job fits")).to_be_visible()
    first = mill.rows(_paused, boss.pk, "First")
    page.locator(f"#job-{first} input").check(timeout=PATIENCE_MS)
    expect(page.get_by_text("No job fits")).to_be_hidden()
    expect(page.get_by_text("1 ticked")).to_be_visible()
    second = mill.rows(_paused, boss.pk, "Second")
    expect(page.locator(f"#job-{second}")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(f"#job-{first} input")).to_be_checked()


@pytest.mark.parametrize("scripts", [True, False])
def test_all_that_match_are_commanded(open_page: OpenPage, mill: Mill, boss: Person, scripts: bool):
    for place in range(3):
        mill.rows(_paused, boss.pk, f"Crowd {place}")
    page = open_page(f"{JOBS}?owner={boss.name}", boss, java_script_enabled=scripts)
    page.get_by_label("All 3 that match").check(force=True)
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Yes, resume").click()
    expect(page.get_by_text("3 jobs resumed.")).to_be_visible(timeout=PATIENCE_MS)


def test_a_lane_is_paused_and_goes_on(open_page: OpenPage, boss: Person):
    page = open_page("/admin/", boss)
    page.get_by_role("button", name="Pause cpu").click()
    expect(page.get_by_text(f"Paused by {boss.name}")).to_be_visible()
    page.get_by_role("button", name="Resume cpu").click()
    expect(page.get_by_role("button", name="Pause cpu")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_lane_is_limited_and_the_limit_lifted(open_page: OpenPage, boss: Person, scripts: bool):
    page = open_page("/admin/", boss, java_script_enabled=scripts)
    most = page.locator("#most-cpu")
    most.fill("1")
    page.get_by_role("button", name="Set the limit of cpu").click()
    expect(page.get_by_text(f"Set by {boss.name}")).to_be_visible()
    expect(page.locator("#lanes li", has=most).get_by_text("of 1 running")).to_be_visible()
    expect(most).to_have_value("1")
    page.get_by_role("button", name="No limit for cpu").click()
    expect(page.locator("#lanes li", has=most).get_by_text("of 2 running")).to_be_visible()
    expect(most).to_have_value("")
