"""The tables of dropped files beside the box for a question: shown, put in, asked."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.mill import Person

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PATIENCE_MS = 60_000


def test_columns_of_dropped_tables_are_put_into_the_question(
    open_page: OpenPage, person: Person
) -> None:
    page = open_page("/", person)
    table = {"name": "orders.csv", "mimeType": "text/csv"}
    page.locator("[data-input=files]").set_input_files(
        [{**table, "buffer": b"id,customer name\n1,Ann\n2,Bo\n"}]
    )
    page.locator("label.operation", has_text="Ask with SQL").click()
    tables = page.locator("file-tables")
    expect(tables).to_contain_text("orders", timeout=PATIENCE_MS)
    expect(tables).to_contain_text("bigint")

    box = page.get_by_label("Question in SQL")
    box.fill("SELECT  FROM orders ORDER BY id")
    box.evaluate("field => field.setSelectionRange(7, 7)")
    tables.get_by_text("customer name").click()
    expect(box).to_have_value('SELECT "customer name" FROM orders ORDER BY id')
    page.locator("[data-startbar] [data-start]").click()
    page.wait_for_url("**/jobs/*/")
    expect(page.get_by_role("log")).to_contain_text("1 done, 0 failed", timeout=PATIENCE_MS)

    page.goto("/")
    page.locator("[data-input=files]").set_input_files([{**table, "buffer": b"id\n1\n"}])
    page.locator("label.operation", has_text="Ask with SQL").click()
    page.get_by_text("Your earlier questions").click()
    page.get_by_role("button", name="Take it").first.click()
    expect(box).to_have_value('SELECT "customer name" FROM orders ORDER BY id')
