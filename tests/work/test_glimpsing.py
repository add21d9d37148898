"""Looking into uploaded tables: names and columns as a question has them, by the beginning of a file."""

import gzip
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.factories import make_upload
from tests.work.conftest import work_off
from uploads.models import Glimpse, Upload
from uploads.models.glimpse import STALE
from uploads.states import JobState
from uploads.work.glimpsing import TOO_LARGE, glimpse, tables_of
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db

Sent = Callable[..., Upload]


@pytest.fixture
def sent(alice: User, tmp_path: Path) -> Sent:
    """Upload a table with this name and content."""

    def make(name: str, content: bytes | str, media_type: str = "text/csv") -> Upload:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return make_upload(alice, path, media_type=media_type)

    return make


def seen(*uploads: Upload) -> dict[str, list[list[str]]]:
    """Look into files and return the columns of each table by its name."""
    for upload in uploads:
        assert Glimpse.begin(upload)
    glimpse(list(uploads))
    found = tables_of(list(uploads))
    assert not any(file.looking for file in found)
    return {name: columns for file in found for name, columns in file.tables}


def test_tables_are_called_as_a_question_calls_them(alice: User, sent: Sent) -> None:
    files = [
        sent("orders 2024.csv", "id,day\n1,2024-01-01\n"),
        sent("group.csv", "id;name\n1;Ann\n"),
        sent("orders_2024.csv", "total\n2.5\n"),
    ]
    found = seen(*files)
    assert found == {
        "orders_2024": [["id", "BIGINT"], ["day", "DATE"]],
        "group_table": [["id", "BIGINT"], ["name", "VARCHAR"]],
        "orders_2024_2": [["total", "DOUBLE"]],
    }
    named = ", ".join(f"{name}.{columns[0][0]}" for name, columns in found.items())
    sql = f"SELECT {named} FROM {', '.join(found)}"
    stage = StageRequest("data.query", {"sql": sql})
    job = submit(alice, JobRequest([stage], [file.key for file in files]))
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text


def test_each_table_of_a_database_is_shown(sent: Sent, tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE one (a INTEGER)")
        made.execute("CREATE TABLE two (b TEXT)")
        made.execute("INSERT INTO one VALUES (1)")
        made.execute("INSERT INTO two VALUES ('x')")
    made.close()
    shop = sent("shop.db", path.read_bytes(), "application/vnd.sqlite3")
    assert seen(shop) == {"shop_one": [["a", "BIGINT"]], "shop_two": [["b", "VARCHAR"]]}


def test_of_a_long_text_only_the_beginning_is_read(sent: Sent, settings: Any) -> None:
    settings.TIDEMILL_LOOK_BYTES = 10_000
    lines = "".join(f"{number},x\n" for number in range(20_000))
    assert seen(sent("long.csv", "id,word\n" + lines + "late,late\n")) == {
        "long": [["id", "BIGINT"], ["word", "VARCHAR"]]
    }
    wide = ("id,word\n" + lines).encode("utf-16")
    assert seen(sent("wide.csv", wide)) == {"wide": [["id", "BIGINT"], ["word", "VARCHAR"]]}


def test_what_can_not_be_cut_and_is_long_says_so(sent: Sent, settings: Any) -> None:
    settings.TIDEMILL_LOOK_BYTES = 10
    file = sent("long.json", '[{"a": 1}, {"a": 2}]', "application/json")
    assert seen(file) == {}
    assert tables_of([file])[0].trouble == TOO_LARGE


def test_a_damaged_file_says_why_and_the_others_are_shown(sent: Sent) -> None:
    bad = sent("bad.json", gzip.compress(b"{}"), "application/json")
    assert list(seen(bad, sent("good.csv", "a\n1\n"))) == ["good"]
    assert "bad.json" in Glimpse.objects.get(upload=bad).trouble


def test_each_file_is_looked_into_once_unless_who_began_has_died(sent: Sent) -> None:
    file = sent("a.csv", "a\n1\n")
    assert [Glimpse.begin(file), Glimpse.begin(file)] == [True, False]
    assert tables_of([file])[0].looking
    Glimpse.objects.update(begun_at=timezone.now() - STALE - timedelta(seconds=1))
    assert [Glimpse.begin(file), Glimpse.begin(file)] == [True, False]
    glimpse([file])
    assert not Glimpse.begin(file)
