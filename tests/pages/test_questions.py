"""Earlier questions beside the box: one's own alone, each once, of a database only its own."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.factories import make_upload, make_user
from tests.work.databases import ask, register, shop_file
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db


def shown(client: Any, **asked: str) -> list[str]:
    page = client.get("/questions/", asked).content.decode()
    return [part.partition("<")[0] for part in page.split("<pre>")[1:]]


def test_a_persons_own_questions_are_offered_each_once(
    alice: User, client: Any, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a\n1\n")
    for owner, sql in (
        (alice, "SELECT 1"),
        (alice, "SELECT 2"),
        (alice, "SELECT 1"),
        (make_user("bob"), "SELECT 3"),
    ):
        upload = make_upload(owner, path, media_type="text/csv")
        submit(owner, JobRequest([StageRequest("data.query", {"sql": sql})], [upload.key]))
    client.force_login(alice)
    assert shown(client, operation="data.query") == ["SELECT 1", "SELECT 2"]
    assert shown(client, operation="db.query") == []


def test_of_a_database_only_what_it_was_asked(alice: User, client: Any, tmp_path: Path) -> None:
    path = str(shop_file(tmp_path / "shop.db"))
    one, other = (register(name, kind="sqlite", database=path) for name in ("One", "Other"))
    ask(alice, one, "SELECT 1")
    ask(alice, other, "SELECT 2")
    client.force_login(alice)
    assert shown(client, operation="db.query", connection=one.key) == ["SELECT 1"]
    assert (
        'data-for="the-box"'
        in client.get("/questions/", {"operation": "db.query", "field": "the-box"}).content.decode()
    )
