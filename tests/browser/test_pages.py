"""Every page as people meet it: without scripts, on a phone, by keyboard, by screen reader, as strangers."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.mill import Mill, Person
from uploads.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.processes]

AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = ("/", "/jobs/", "/uploads/", "/settings/", "/jobs/none/")
FILES = "[data-input=files]"
START = "[data-startbar] [data-start]"
PATIENCE_MS = 60_000


def _barriers(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "rules => axe.run({runOnly: rules}).then(r => r.violations.map("
        "v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(', ')))",
        RULES,
    )
    return [str(violation) for violation in found]


def _with_everything(page: Page, photos: list[Path]) -> None:
    """Bring the new-job page to its fullest: files here, options open."""
    page.set_input_files(FILES, photos)
    expect(page.locator(".file .here")).to_have_count(len(photos))
    page.locator("[data-panel='image.convert'] summary").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(open_page: OpenPage, photos: list[Path], scheme: str):
    page = open_page(color_scheme=scheme)
    _with_everything(page, photos)
    barriers = {"/ with files": _barriers(page)}
    for path in PAGES:
        page.goto(path)
        barriers[path] = _barriers(page)
    stranger = open_page("/login/", None, color_scheme=scheme)
    barriers["/login/"] = _barriers(stranger)
    assert {path: found for path, found in barriers.items() if found} == {}


def test_no_page_is_wider_than_a_phone(open_page: OpenPage, photos: list[Path]):
    page = open_page(viewport={"width": 390, "height": 844})
    _with_everything(page, photos)
    widths = {"/ with files": page.evaluate("document.documentElement.scrollWidth")}
    for path in PAGES:
        page.goto(path)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
    assert {path: width for path, width in widths.items() if width > 390} == {}


def test_the_menu_stays_on_one_line_of_a_phone(open_page: OpenPage):
    page = open_page(viewport={"width": 390, "height": 844})
    tops = {
        round(link.bounding_box()["y"])  # type: ignore[index]
        for link in page.locator(".menu a").all()
    }
    assert len(tops) == 1


def test_the_bar_with_start_covers_no_row_that_is_in_use(open_page: OpenPage, photos: list[Path]):
    page = open_page(viewport={"width": 900, "height": 500})
    _with_everything(page, photos)
    bar = page.locator("[data-startbar]").bounding_box()
    for button in page.locator("[data-do=remove]").all():
        button.focus()
        row = button.bounding_box()
        assert bar is not None
        assert row is not None
        assert row["y"] + row["height"] <= bar["y"]


def test_without_scripts_a_form_starts_a_job_and_its_page_shows_the_end(
    open_page: OpenPage, mill: Mill, person: Person, photos: list[Path]
):
    page = open_page(java_script_enabled=False)
    page.locator("#files").set_input_files(photos)
    page.locator("[name=operation][value='image.convert']").check()
    page.locator("[value=webp][name='image.convert-preset']").check()
    page.locator(START).click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    for _ in range(30):
        if page.locator(".pill.succeeded").count():
            break
        page.wait_for_timeout(1000)  # the page refreshes itself; without scripts nothing tells us
        page.reload()
    expect(page.locator(".pill.succeeded").first).to_be_visible()
    job = mill.rows(lambda: Job.objects.get(owner_id=person.pk))
    assert (job.items_done, job.items_failed) == (3, 0)


def test_the_enter_key_in_the_name_starts_the_job_and_removes_no_file(
    open_page: OpenPage, mill: Mill, person: Person, photos: list[Path]
):
    page = open_page()
    page.set_input_files(FILES, photos)
    expect(page.locator(".file .here")).to_have_count(3)
    page.get_by_label("Name of the job").fill("Trip to the sea")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    job = mill.rows(lambda: Job.objects.get(owner_id=person.pk))
    assert (job.name, job.items_total) == ("Trip to the sea", 3)


def test_everything_is_reached_by_keyboard(open_page: OpenPage, photos: list[Path]):
    page = open_page()
    page.set_input_files(FILES, photos)
    expect(page.locator(".file .here")).to_have_count(3)
    page.locator("body").press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 20)"))
        reached.add(page.evaluate("document.activeElement.name ?? ''"))
        if page.evaluate("document.activeElement.matches('[data-startbar] [data-start]')"):
            break
    else:
        raise AssertionError("Start was not reached")
    assert {
        "Choose files",
        "Remove IMG_0.jpg",
        "operation",
        "image.convert-preset",
        "name",
    } <= reached


def test_a_fault_of_the_form_comes_back_with_the_files(open_page: OpenPage, photos: list[Path]):
    page = open_page()
    _with_everything(page, photos)
    page.locator("[name='image.convert-quality']").fill("999")
    page.locator("form#job").evaluate("form => (form.noValidate = true)")
    page.locator(START).click()
    expect(page.locator(".panel .errorlist, .panel [role=alert]").first).to_contain_text(
        "at most 100"
    )
    expect(page.locator(".file")).to_have_count(3)
    expect(page.locator("[value=own][name='image.convert-preset']")).to_be_checked()


def test_what_one_person_has_another_never_sees(
    open_page: OpenPage, mill: Mill, person: Person, photos: list[Path]
):
    page = open_page()
    page.set_input_files(FILES, photos)
    expect(page.locator(".file .here")).to_have_count(3)
    page.locator(START).click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    other = open_page("/", mill.newcomer())
    for path in ("/", "/uploads/", "/jobs/", "/jobs/?q=IMG"):
        other.goto(path)
        expect(other.locator("main")).not_to_contain_text("IMG_")
    answer = other.goto(page.url)
    assert answer is not None
    assert answer.status == 404


def test_the_samples_show_a_finished_job(open_page: OpenPage, mill: Mill, person: Person):
    page = open_page()
    page.get_by_role("button", name="Try with sample files").click(timeout=PATIENCE_MS)
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"), timeout=PATIENCE_MS)
    expect(page.locator(".pill.succeeded").first).to_be_visible(timeout=PATIENCE_MS)


def test_the_theme_is_chosen_and_kept(open_page: OpenPage):
    page = open_page("/settings/", color_scheme="light")
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/jobs/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_list_of_jobs_follows_by_itself(open_page: OpenPage, photos: list[Path]):
    page = open_page()
    page.set_input_files(FILES, photos)
    expect(page.locator(".file .here")).to_have_count(3)
    page.locator(START).click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    page.goto("/jobs/")
    expect(page.locator(".jobs .pill.succeeded")).to_be_visible(timeout=PATIENCE_MS)


def test_the_first_start_leads_from_the_link_to_the_drop_area(open_page: OpenPage, mill: Mill):
    said = re.search(r"/setup/[\w-]+/", mill.server.output())
    assert said is not None, mill.server.output()
    page = open_page(said[0], None)
    assert _barriers(page) == []
    page.get_by_label("Your name").fill("ada")
    page.get_by_label("Password").fill("correct-horse-9")
    page.get_by_role("button", name="Set up and sign in").click()
    expect(page.get_by_role("heading", name="Drop files or a folder here")).to_be_visible()
    again = open_page("/login/", None)
    answer = again.goto(said[0])
    assert answer is not None
    assert answer.status == 404
