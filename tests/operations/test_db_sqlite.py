"""Questions to SQLite files: mixed values, nothing but reading, files that others have open."""

import sqlite3
from pathlib import Path

import duckdb
import pytest
from django.contrib.auth.models import User

from tests.support.asked import Patient
from tests.support.placed import NASTY, QUESTION, VALUES
from tests.work.databases import answer, ask, code, done, register, shop_file
from uploads.errors import InputError
from uploads.models import Connection
from uploads.operations.db_sqlite import SQLite
from uploads.operations.outside import Outside
from uploads.states import JobState

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Connection:
    return register(kind="sqlite", database=str(shop_file(tmp_path / "shop.db")))


def test_mixed_values_keep_what_they_are(alice: User, shop: Connection) -> None:
    sql = "SELECT id, amount, note, raw, NULL AS gone, '007' AS code FROM orders ORDER BY id"
    job = done(ask(alice, shop, sql, format="parquet"))
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    found = duckdb.sql(f"FROM read_parquet('{answer(job)}')")
    kinds = ["BIGINT", "DOUBLE", "VARCHAR", "BLOB", "VARCHAR", "VARCHAR"]
    assert [str(kind) for kind in found.types] == kinds
    assert found.limit(3).fetchall() == [
        (0, 0.0, "", b"\x00", None, "007"),
        (1, 0.25, None, b"\x01", None, "007"),
        (2, 0.5, None, b"\x02", None, "007"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "SELECT 1; DELETE FROM orders",
        "ATTACH '/etc/passwd' AS other",
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x')",
        "SELECT * FROM pragma_database_list",
        "CREATE TABLE a (b)",
        "VACUUM INTO '/tmp/copy.db'",
        "BEGIN",
    ],
)
def test_nothing_but_a_question_runs(tmp_path: Path, sql: str) -> None:
    path = shop_file(tmp_path / "shop.db")
    made = SQLite(Outside("Shop", "sqlite", database=str(path)), tmp_path)
    with pytest.raises(InputError) as refused:
        made.ask(sql, Patient())
        list(made.lines(Patient()))
    made.close()
    assert refused.value.code in {"db_refused", "sql_failed"}
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM orders").fetchone() == (1000,)
    file.close()
    assert not Path("/tmp/copy.db").exists()


def test_a_mistake_is_told_with_its_place(alice: User, shop: Connection) -> None:
    job = ask(alice, shop, "SELECT id,\n  nothing\nFROM orders")
    assert code(job) == "sql_wrong"
    assert "line 2, column 3" in job.items.get().error_text


def test_an_endless_question_ends_at_its_limit(alice: User, shop: Connection) -> None:
    Connection.objects.update(max_seconds=1)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    assert code(ask(alice, shop, endless)) == "db_timeout"


@pytest.mark.parametrize("held", [True, False])
def test_a_file_in_wal_mode_is_read_whether_or_not_somebody_has_it_open(
    alice: User, shop: Connection, held: bool
) -> None:
    file = sqlite3.connect(shop.database)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("INSERT INTO orders (id) VALUES (1000)")
    file.commit()
    if not held:
        file.close()
    job = done(ask(alice, shop, "SELECT count(*) AS n FROM orders"))
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert answer(job).read_text() == "n\n1001\n"
    file.close()


def test_values_come_as_they_were_given(alice: User, shop: Connection) -> None:
    job = done(ask(alice, shop, QUESTION, values=VALUES, format="parquet"))
    assert duckdb.sql(f"FROM read_parquet('{answer(job)}')").fetchall() == [NASTY]
