"""Asking a database in the browser: registered in the console, tried, asked with and without scripts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.mill import Mill, Person
from tests.support.asked import SECRET, Asked
from tests.work.databases import register, shop_file
from uploads.models import Connection

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 60_000
NAME = "The shop"


@pytest.fixture
def shop(mill: Mill, person: Person, tmp_path: Path) -> Iterator[Connection]:
    """Return an SQLite shop that only the test's person may ask."""
    path = str(shop_file(tmp_path / "shop.db"))

    def made() -> Connection:
        shop = register(f"Files of {person.name}", kind="sqlite", database=path, everyone=False)
        shop.people.add(person.pk)
        return shop

    found = mill.rows(made)
    yield found
    mill.rows(found.delete)


def test_a_database_is_registered_tried_and_asked(
    open_page: OpenPage, mill: Mill, asked: Asked
) -> None:
    boss = mill.newcomer(is_staff=True, is_superuser=True)
    page = open_page("/admin/uploads/connection/add/", boss)
    for label, value in (("Name", NAME), ("Host", "127.0.0.1"), ("Port", str(asked.port)),
                         ("Database", "shop"), ("User", "writer"), ("Password", SECRET)):  # fmt: skip
        page.get_by_label(label, exact=True).or_(page.get_by_label(f"{label}:", exact=True)).fill(
            value
        )
    page.locator("[name=kind]").select_option("postgresql")
    page.locator("[name=everyone]").check()
    page.locator("[name=_continue]").click()
    page.locator("#try").click()
    expect(page.locator("main")).to_contain_text("could write to", timeout=PATIENCE_MS)
    assert SECRET not in page.content()

    page.locator("[name=user]").fill("reader")
    page.locator("[name=_continue]").click()
    expect(page.locator("main")).to_contain_text("enter the password again")
    page.locator("[name=password]").fill(SECRET)
    page.locator("[name=_continue]").click()
    page.locator("#try").click()
    expect(page.locator("main")).to_contain_text("not encrypted", timeout=PATIENCE_MS)
    expect(page.locator("main")).not_to_contain_text("could write to")

    page.goto("/")
    page.get_by_role("link", name="Ask a database").click()
    page.get_by_text("orders", exact=True).click()
    page.get_by_role("button", name="Ask for its first rows").click()
    expect(page.get_by_label("Question in SQL")).to_have_value("SELECT *\nFROM orders\nLIMIT 100")
    page.locator(".startbar .primary").click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    answer = page.frame_locator(".sheet-frame")
    expect(answer.locator("tbody tr")).to_have_count(100)
    mill.rows(lambda: Connection.objects.filter(name=NAME).update(everyone=False))


def test_it_works_without_scripts_and_tells_what_is_missing(
    open_page: OpenPage, shop: Connection
) -> None:
    page = open_page("/ask/", java_script_enabled=False)
    page.locator(".startbar .primary").click()
    expect(page.locator("[role=alert]").first).to_contain_text("A question is needed")
    page.get_by_label("Question in SQL").fill(
        "SELECT city, count(*) AS n FROM orders GROUP BY city"
    )
    page.get_by_text("Answer as Excel").click()
    page.locator(".startbar .primary").click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    for _ in range(60):
        page.reload()
        if page.locator(".outcome.succeeded").count():
            break
        page.wait_for_timeout(250)
    page.get_by_role("link", name="See all results").click()
    expect(page.locator("main")).to_contain_text(f"{shop.name}.xlsx")


def test_nobody_else_finds_it(open_page: OpenPage, mill: Mill, shop: Connection) -> None:
    stranger = mill.newcomer()
    page = open_page("/", stranger)
    expect(page.get_by_role("link", name="Ask a database")).to_have_count(0)
    page.goto(f"/ask/{shop.key}/tables/")
    expect(page.locator("main")).to_contain_text("There is nothing here")


def test_places_in_a_question_get_fields_of_their_own(
    open_page: OpenPage, mill: Mill, shop: Connection
) -> None:
    page = open_page("/ask/")
    question = page.get_by_label("Question in SQL")
    expect(page.get_by_label("Values")).not_to_be_visible()
    question.fill(
        "SELECT city, 'at :none' AS note FROM orders WHERE city IN (:city) AND id < :most"
    )
    expect(page.locator(".places label")).to_have_text(["city", "most"])
    page.locator(".startbar .primary").click()
    expect(page.locator("[role=alert]").first).to_contain_text("no value for “:city”")
    page.get_by_label("city", exact=True).fill("Porto\nLund")
    page.get_by_label("most", exact=True).fill("5")
    question.press("End")
    question.press("Enter")  # the fields keep what is in them
    expect(page.get_by_label("city", exact=True)).to_have_value("Porto\nLund")
    page.locator(".startbar .primary").click()
    page.wait_for_url(re.compile(r"/jobs/\w{24}/$"))
    expect(page.locator(".outcome.succeeded")).to_be_visible(timeout=PATIENCE_MS)
    page.goto(page.url.replace("/jobs/", "/ask/?again=").rstrip("/"))
    expect(page.get_by_label("city", exact=True)).to_have_value("Porto\nLund")
    expect(page.get_by_label("most", exact=True)).to_have_value("5")
