"""Questions to a real MariaDB: types, nothing but reading, its end when nobody wants it any more."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest
from django.contrib.auth.models import User

from tests.support.asked import READER, SECRET, Patient
from tests.support.mariadb import MISSING, mariadb_server
from tests.support.placed import NASTY, QUESTION, VALUES
from tests.support.server import wait_until
from tests.work.conftest import work_off
from tests.work.databases import answer, ask, register
from uploads.errors import Cancelled, InputError
from uploads.models import Job
from uploads.operations import Context, db_answer
from uploads.operations.db import DatabaseQuestion
from uploads.operations.db_mysql import MySQL
from uploads.operations.outside import Outside
from uploads.states import JobState

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with mariadb_server() as found:
        if found is None:
            pytest.skip(MISSING)
        yield found


def asked(
    owner: User, port: int, sql: str, user: str = READER, values: str = "", **facts: Any
) -> Job:
    own = {"kind": "mysql", "host": "127.0.0.1", "port": port, "database": "shop", "user": user}
    made = register(**{**own, **facts})
    made.set_password(SECRET)
    made.save()
    job = ask(owner, made, sql, format="parquet", values=values)
    work_off()
    job.refresh_from_db()
    return job


def test_every_type_is_kept(alice: User, port: int) -> None:
    sql = "SELECT id, day, city, amount, raw, 18446744073709551615 AS big, '' AS empty FROM orders ORDER BY id LIMIT 2"
    job = asked(alice, port, sql)
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    found = duckdb.sql(f"FROM read_parquet('{answer(job)}')")
    assert [str(kind) for kind in found.types][:5] == [
        "UBIGINT",
        "DATE",
        "VARCHAR",
        "DECIMAL(3,2)",
        "BLOB",
    ]
    assert str(found.types[5]) == "UBIGINT"
    (first, second) = found.fetchall()
    assert (first[2], second[2], first[6]) == ("Porto", None, "")
    assert (first[4], first[5]) == (b"\x00\xff", 2**64 - 1)


@contextmanager
def session(port: int, folder: Path, **facts: Any) -> Iterator[MySQL]:
    """Open a session as the child does, in this process."""
    own: dict[str, Any] = {"host": "127.0.0.1", "port": port, "database": "shop", "user": READER}
    outside = Outside(
        "Shop", "mysql", password=SECRET, addresses=("127.0.0.1",), **{**own, **facts}
    )
    made = MySQL(outside, folder)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "SELECT 1 INTO OUTFILE '/tmp/harm.txt'",
        "SELECT 1) AS a INTO OUTFILE '/tmp/harm.txt' -- ",
        "SELECT 1 /*! INTO OUTFILE '/tmp/harm.txt' */",
        "SELECT 1; DELETE FROM orders",
        "SET SESSION TRANSACTION READ WRITE",
    ],
)
def test_nothing_but_a_question_runs_even_for_a_user_who_may_all(
    port: int, tmp_path: Path, sql: str
) -> None:
    with session(port, tmp_path, user="boss") as made, pytest.raises(InputError) as refused:
        made.ask(sql, Patient())
    assert refused.value.code in {"db_refused", "sql_failed", "sql_wrong"}
    assert not Path("/tmp/harm.txt").exists()


@pytest.mark.parametrize(
    ("sql", "facts", "code"),
    [
        ("SELECT * FROM hidden", {}, "db_denied"),
        ("SELECT *\nFROM ordres", {}, "db_denied"),
        ("SELECT nothing FROM orders", {}, "sql_wrong"),
        ("SELECT 1", {"user": "nobody"}, "db_login"),
        ("SELECT 1", {"tls": "verify"}, "db_login"),
        ("SELECT SLEEP(30)", {"max_seconds": 1}, "db_timeout"),
    ],
)
def test_each_fault_has_its_words(
    port: int, tmp_path: Path, sql: str, facts: dict[str, Any], code: str
) -> None:
    with pytest.raises(InputError) as refused, session(port, tmp_path, **facts) as made:
        made.ask(sql, Patient())
        list(made.lines(Patient()))
    assert refused.value.code == code, refused.value
    assert SECRET not in str(refused.value)


class Unwanted:
    def idle(self) -> None:
        raise Cancelled


def test_a_question_that_nobody_wants_ends_there(port: int, tmp_path: Path) -> None:
    with session(port, tmp_path) as made, pytest.raises(Cancelled):
        made.ask("SELECT SLEEP(50)", Unwanted())
    wait_until(lambda: "SLEEP" not in str(running(port)), 10, "its end in the database")


def running(port: int) -> Any:
    facts = {"host": "127.0.0.1", "port": port, "user": "boss", "password": SECRET}
    made = pymysql.connect(**facts)
    try:
        with made.cursor() as cursor:
            cursor.execute(
                "SELECT info FROM information_schema.processlist WHERE user = %s", (READER,)
            )
            return cursor.fetchall()
    finally:
        made.close()


def test_a_look_tells_tables_and_what_its_user_could_do(port: int, tmp_path: Path) -> None:
    for user, words in ((READER, "not encrypted"), ("boss", "more than read")):
        with session(port, tmp_path, user=user) as made:
            found = made.look()
        assert found.server.startswith("MariaDB")
        assert "orders" in [table["name"] for table in found.tables]
        assert words in " ".join(found.warnings)


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    monkeypatch.delitem(sys.modules, MySQL.__module__)
    step = Context(DatabaseQuestion(), tmp_path, outside=Outside("Shop", "mysql"))
    with pytest.raises(InputError) as missing:
        list(db_answer.answer(step))
    assert missing.value.code == "db_driver"
    assert "tidemill[mysql]" in missing.value.fix


def test_values_come_as_they_were_given(alice: User, port: int) -> None:
    job = asked(alice, port, QUESTION, values=VALUES)
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert duckdb.sql(f"FROM read_parquet('{answer(job)}')").fetchall() == [NASTY]
