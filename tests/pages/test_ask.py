"""The page and the doors that ask databases: what is shown to whom, and that no secret is."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from tests.pages.api import Api, faults
from tests.pages.people import signed_in
from tests.work.databases import SECRET, register, shop_file
from uploads.models import Connection, Job
from uploads.pages.api.schemas import SCHEMAS
from uploads.pages.option_words import option_words

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, alice: User) -> Connection:
    made = register(
        "Shop", kind="sqlite", database=str(shop_file(tmp_path / "s.db")), everyone=False
    )
    made.people.add(alice)
    made.found = {
        "server": "",
        "warnings": [],
        "tables": [{"name": "orders", "columns": [["id", "integer"]]}],
    }
    made.save()
    return made


def test_a_script_finds_and_asks_its_databases(api: Api, shop: Connection) -> None:
    (found,) = api.get("connections/")["results"]
    assert faults(found, SCHEMAS["Connection"], SCHEMAS) == []
    assert found["name"] == "Shop"
    assert shop.database not in str(found)
    body = {"operation": "db.query", "uploads": [],
            "options": {"connection": found["id"], "sql": "SELECT 1"}}  # fmt: skip
    job = api.post("jobs/", body, 201)
    assert job["name"] == "Ask a database: Shop"
    (listed,) = [made for made in api.get("operations/")["results"] if made["name"] == "db.query"]
    assert listed["takes"] == "none"
    assert listed["options"]["properties"]["connection"]["format"] == "connection-id"


def test_the_form_keeps_what_was_typed_and_starts(
    alice: User, shop: Connection, client: Any
) -> None:
    client.force_login(alice)
    assert b"Ask a database" in client.get("/").content
    page = client.get("/ask/").content.decode()
    assert "orders" in page and shop.database not in page
    field = "db.query-"
    sent = {"operation": "db.query", f"{field}connection": shop.key, f"{field}preset": "csv"}
    shown = client.post("/ask/", {**sent, f"{field}sql": "SELECT 41", "add": "then"})
    assert b"SELECT 41" in shown.content
    assert client.post("/ask/", {**sent, f"{field}sql": " "}).status_code == 400
    started = client.post("/ask/", {**sent, f"{field}sql": "SELECT 42", "name": "Answer"})
    assert started.status_code == 303
    job = Job.objects.get()
    assert job.stages.get().options["format"] == "csv"
    assert client.get(f"/?again={job.key}").headers["Location"] == f"/ask/?again={job.key}"
    assert b"SELECT 42" in client.get(f"/ask/?again={job.key}").content
    assert option_words("db.query", job.stages.get().options)[0] == ("Database", "Shop")


def test_nobody_else_sees_that_there_is_one(shop: Connection) -> None:
    browser, bob = signed_in("bob")
    assert b"Ask a database" not in browser.get("/").content
    for path in ("/ask/", f"/ask/{shop.key}/tables/"):
        assert browser.get(path).status_code == 404
    assert Api(bob).get("connections/")["results"] == []
    Api(bob).get(f"connections/{shop.key}/", 404)


def test_the_console_takes_a_password_and_never_shows_it(db: None) -> None:
    browser, _ = signed_in("boss", is_staff=True, is_superuser=True)
    sent = {"name": "Far", "kind": "postgresql", "host": "db.example.org", "database": "shop",
            "user": "reader", "tls": "prefer", "password": SECRET, "enabled": "on"}  # fmt: skip
    assert browser.post("/admin/uploads/connection/add/", sent).status_code == 302
    made = Connection.objects.get()
    assert made.password() == SECRET
    here = f"/admin/uploads/connection/{made.pk}/"
    pages = ["/admin/uploads/connection/", f"{here}change/", f"{here}history/",
             "/admin/admin/logentry/", "/ask/"]  # fmt: skip
    for path in pages:
        shown = browser.get(path).content.decode()
        assert SECRET not in shown and made.sealed not in shown
    assert SECRET not in str(list(LogEntry.objects.values()))
    moved = {**sent, "password": "", "host": "elsewhere.example.org"}
    assert "enter the password again" in browser.post(f"{here}change/", moved).content.decode()
    assert (
        browser.post(f"{here}change/", {**sent, "password": "", "name": "Near"}).status_code == 302
    )
    made.refresh_from_db()
    assert (made.name, made.password()) == ("Near", SECRET)


def test_staff_without_the_right_registers_nothing(db: None) -> None:
    browser, _ = signed_in("watcher", is_staff=True)
    assert browser.get("/admin/uploads/connection/add/").status_code == 403


def test_a_place_without_a_value_is_told_at_its_field(
    alice: User, shop: Connection, client: Any
) -> None:
    client.force_login(alice)
    field = "db.query-"
    sent = {"operation": "db.query", f"{field}connection": shop.key, f"{field}preset": "csv",
            f"{field}sql": "SELECT :day"}  # fmt: skip
    refused = client.post("/ask/", {**sent, f"{field}values": "month = 5"})
    assert refused.status_code == 400
    assert "no value for “:day”" in refused.content.decode()
    assert "month = 5" in refused.content.decode()
    assert client.post("/ask/", {**sent, f"{field}values": "day = 5"}).status_code == 303
    assert Job.objects.get().stages.get().options["values"] == "day = 5"
