"""Tables in the browser: dropped, asked in SQL, looked into; the answer is seen on the job's page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 60_000


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders 2024.csv"
    lines = [f"{n},{('Lund', 'Porto', '<b>Lyon</b>')[n % 3]},{n % 40}.50" for n in range(600)]
    path.write_text("\n".join(["id,city,amount", *lines]) + "\n")
    return path


def choose(page: Page, files: list[Path], operation: str) -> None:
    """Drop files and open an operation's card."""
    page.set_input_files("[data-input=files]", files)
    chosen = page.locator(".operation", has=page.locator(f"[value='{operation}']"))
    expect(chosen).to_contain_text("table")
    chosen.locator("input").check()


def start(page: Page) -> None:
    page.locator("[data-startbar] [data-start]").click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))


def test_a_question_is_asked_and_its_answer_seen(open_page: OpenPage, orders: Path) -> None:
    page = open_page()
    choose(page, [orders], "data.query")
    box = page.get_by_label("Question in SQL")
    box.fill("SELECT city, count(*) AS orders\nFROM orders_2024\nGROUP BY city ORDER BY city")
    start(page)

    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    answer = page.frame_locator(".sheet-frame")
    expect(answer.locator("tbody tr")).to_have_count(3)
    expect(answer.locator("tbody tr").first).to_contain_text("<b>Lyon</b>")
    expect(answer.locator("header")).to_contain_text("3 rows · 2 columns")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    assert download.value.suggested_filename == "orders_2024-answer.csv"


def test_a_long_answer_is_paged_through(open_page: OpenPage, orders: Path) -> None:
    page = open_page()
    choose(page, [orders], "data.query")
    page.get_by_label("Question in SQL").fill("SELECT n, n * n AS square FROM range(3500) AS r(n)")
    start(page)
    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.frame_locator(".sheet-frame").locator("tbody tr")).to_have_count(1000)

    page.get_by_role("link", name="Further rows").click()
    rows = page.frame_locator(".sheet-frame").locator("tbody tr")
    expect(rows.first).to_contain_text("1000000")
    page.get_by_role("link", name="Page 4: Rows 3,001 to 3,500").first.click()
    expect(rows.last).to_contain_text("12243001")
    expect(rows).to_have_count(500)
    page.get_by_role("link", name="Earlier").last.click()
    expect(rows.last).to_contain_text("8994001")
    expect(page.locator("header .dim")).to_have_text("Rows 2,001 to 3,000 of 3,500")


def test_an_example_is_taken_and_a_mistake_told_with_its_place(
    open_page: OpenPage, orders: Path
) -> None:
    page = open_page()
    choose(page, [orders], "data.query")
    page.get_by_text("Examples to begin with").filter(visible=True).click()
    example = page.locator(".examples li", has_text="Count the rows of each value")
    example.get_by_role("button").click()
    box = page.get_by_label("Question in SQL")
    expect(box).to_have_value(re.compile("GROUP BY city"))
    box.fill("SELECT city,\n  amont FROM data")
    start(page)

    told = page.locator("body")
    expect(told).to_contain_text("line 2, column 3", timeout=PATIENCE_MS)
    expect(told).to_contain_text("There is no column “amont”. Did you mean amount?")


def test_a_table_is_looked_into(open_page: OpenPage, orders: Path) -> None:
    page = open_page()
    choose(page, [orders], "data.profile")
    start(page)
    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)

    page.locator("[data-viewer] a[data-name$='profile.html']").click()
    seen = page.frame_locator(".viewer-stage iframe")
    expect(seen.locator(".card")).to_have_count(3)
    expect(seen.locator("figure svg rect").first).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[data-viewer] a[data-name$='profile.html'] .glance").wait_for()


def test_rules_are_written_corrected_and_kept_by_the_rows(
    open_page: OpenPage, orders: Path
) -> None:
    page = open_page()
    choose(page, [orders], "data.check")
    rules = page.get_by_role("textbox", name="Rules")
    rules.fill("id: whole number, unique\ncity: one of Lund | Porto\namount: numbr")
    page.locator("[data-startbar] [data-start]").click()
    expect(page.locator(".panel .errorlist, .panel [role=alert]").first).to_contain_text(
        "line 3: “numbr” is not understood"
    )

    rules.fill("id: whole number, unique\ncity: one of Lund | Porto\namount: number, from 1")
    start(page)
    expect(page.locator(".outcome")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("main")).to_contain_text("210 rows break the rules: “city” is none of")
    expect(page.locator(".outcome .tiles")).to_contain_text("orders 2024-broken.csv")
    page.get_by_role("link", name="Run again").click()
    expect(rules).to_have_value(re.compile("amount: number, from 1"))
