"""Questions to SQLite files: from submit to the answer, and what is refused."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.work.conftest import work_off
from tests.work.databases import answer, ask, register, shop_file
from uploads.models import Connection
from uploads.states import JobState

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Connection:
    return register(kind="sqlite", database=str(shop_file(tmp_path / "shop.db")))


def test_a_question_without_files_ends_with_its_answer(alice: User, shop: Connection) -> None:
    job = ask(alice, shop, "SELECT id, city, note FROM orders ORDER BY id LIMIT 4;")
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert job.results.get(role="result").name == "Shop.csv"
    assert answer(job).read_text() == 'id,city,note\n0,Berlin,""\n1,Porto,\n2,Berlin,\n3,Porto,""\n'
