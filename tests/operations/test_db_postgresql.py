"""Questions to a real PostgreSQL: every type, nothing but reading, errors in words, its own end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.asked import SECRET, Asked, Patient
from tests.support.placed import NASTY, QUESTION, VALUES
from tests.work.conftest import work_off
from tests.work.databases import answer, ask, register
from uploads.errors import InputError, TidemillError
from uploads.models import Connection, Job
from uploads.operations.db_asked import only_question
from uploads.operations.db_postgresql import CURSOR, PostgreSQL
from uploads.operations.outside import Outside
from uploads.states import JobState
from uploads.work.submit import JobRequest, StageRequest, submit
from uploads.work.whole import run_on_all

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


@pytest.fixture
def shop(asked: Asked) -> Connection:
    return connect(asked)


def connect(asked: Asked, **facts: Any) -> Connection:
    made = register(**asked.facts(**facts))
    made.set_password(SECRET)
    made.save()
    return made


@pytest.fixture
def done(alice: User, shop: Connection) -> Callable[..., Job]:
    """Ask a question and let it be worked off."""

    def run(sql: str, **options: Any) -> Job:
        job = ask(alice, shop, sql, **options)
        work_off()
        job.refresh_from_db()
        return job

    return run


Done = Callable[..., Job]


@contextmanager
def session(asked: Asked, folder: Path, **facts: Any) -> Iterator[PostgreSQL]:
    """Open a session as the child does, in this process."""
    own = {**asked.facts(), "addresses": ("127.0.0.1",), "password": SECRET, **facts}
    made = PostgreSQL(Outside("Shop", **own), folder)
    try:
        yield made
    finally:
        made.close()


def rows(job: Job) -> list[tuple[Any, ...]]:
    """Return the rows of a Parquet answer."""
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    shown = duckdb.connect()
    shown.execute("SET TimeZone = 'UTC'")
    return shown.sql(f"SELECT COLUMNS(*)::VARCHAR FROM read_parquet('{answer(job)}')").fetchall()


def kinds(job: Job) -> list[str]:
    return [str(kind) for kind in duckdb.sql(f"FROM read_parquet('{answer(job)}')").types]


def fault(job: Job) -> str:
    assert job.state == JobState.FAILED
    item = job.items.get()
    assert SECRET not in item.error_text + item.error_detail
    return item.error_code


def test_rows_come_as_asked(done: Done) -> None:
    job = done("SELECT id, city FROM orders ORDER BY id LIMIT 2;  -- the first")
    assert answer(job).read_text() == "id,city\n1,Porto\n2,Berlin\n"


def test_every_type_is_kept(done: Done) -> None:
    job = done(
        """SELECT 9223372036854775807::int8 AS big, 1.10::numeric(5,2) AS money, 12345678901234567890.123 AS long,
        'NaN'::float8 AS nan, '-Infinity'::float4 AS low, true AS yes, date '2024-02-29' AS day,
        timestamptz '2024-01-01 12:00+02' AS moment, timestamp '2024-01-01 12:00:00.5' AS wall,
        '' AS empty, NULL::text AS nothing, '{"a": [1]}'::jsonb AS object,
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS id, '\\x00ff'::bytea AS raw,
        ARRAY[1, NULL, 3] AS numbers, ARRAY['a,"b', NULL, ''] AS words, 1 AS same, 2 AS same""",
        format="parquet",
    )
    (row,) = rows(job)
    assert kinds(job) == [
        *("BIGINT", "DECIMAL(5,2)", "DECIMAL(23,3)", "DOUBLE", "FLOAT", "BOOLEAN", "DATE"),
        *("TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "VARCHAR", "VARCHAR", "JSON", "UUID", "BLOB"),
        *("INTEGER[]", "VARCHAR[]", "INTEGER", "INTEGER"),
    ]
    assert row == (
        *("9223372036854775807", "1.10", "12345678901234567890.123", "nan", "-inf", "true"),
        *("2024-02-29", "2024-01-01 10:00:00+00", "2024-01-01 12:00:00.5", "", None),
        *('{"a": [1]}', "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x00\\xFF"),
        *("[1, NULL, 3]", "['a,\"b', NULL, '']", "1", "2"),
    )


def test_columns_of_one_name_are_told_apart(done: Done) -> None:
    job = done('SELECT 1 AS a, 2 AS a, 3 AS "A"')
    assert answer(job).read_text() == "a,a_2,A_3\n1,2,3\n"


def test_values_beyond_a_type_make_the_column_text_with_a_warning(done: Done) -> None:
    job = done("SELECT date '0044-03-15 BC' AS day, 'NaN'::numeric AS odd", format="parquet")
    assert rows(job) == [("0044-03-15 BC", "NaN")]
    assert "day" in str(job.items.get().warnings)


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx", "ndjson"])
def test_no_rows_are_an_answer_too(done: Done, form: str) -> None:
    job = done("SELECT id, amount, 1.5 AS x FROM orders WHERE false", format=form)
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert job.results.get(role="result").meta["rows"] == 0


def test_rows_of_nothing_but_null_are_counted(done: Done) -> None:
    job = done("SELECT NULL::text AS a FROM generate_series(1, 7)", format="parquet")
    assert rows(job) == [(None,)] * 7


def test_many_rows_come_in_pieces_and_all_arrive(done: Done) -> None:
    job = done(
        "SELECT n, repeat('x', 900) || n FROM generate_series(1, 200000) n", format="parquet"
    )
    found = duckdb.sql(f"SELECT count(*), sum(n) FROM read_parquet('{answer(job)}')").fetchall()
    assert found == [(200_000, 200_000 * 200_001 // 2)]


# --- only reading ----------------------------------------------------------------------

WRITES = {
    "insert": "INSERT INTO orders VALUES (1)",
    "with": "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
    "into": "SELECT * INTO copied FROM orders",
    "copy": "COPY (SELECT 1) TO PROGRAM 'touch /tmp/harm'",
    "escape": "SELECT 1) TO PROGRAM 'touch /tmp/harm' --",
    "several": "SELECT 1; DELETE FROM orders",
    "hidden": "SELECT $a$;$a$ AS a; DROP TABLE orders",
    "function": "SELECT wicked()",
    "lock": "SELECT * FROM orders FOR UPDATE",
    "set": "SET default_transaction_read_only = off",
    "end": "COMMIT",
    "do": "DO $$ BEGIN DELETE FROM orders; END $$",
    "explain": "EXPLAIN ANALYZE DELETE FROM orders",
    "remark": "/* SELECT */ DELETE FROM orders",
}


@pytest.mark.parametrize("how", WRITES)
def test_nothing_but_a_question_runs_even_for_a_user_who_may_all(
    asked: Asked, tmp_path: Path, how: str
) -> None:
    asked.rows(f"ALTER ROLE tidemill PASSWORD '{SECRET}'")
    with pytest.raises(InputError) as refused, session(asked, tmp_path, user="tidemill") as made:
        made.ask(only_question(WRITES[how]), Patient())
        list(made.lines(Patient()))
    assert refused.value.code in {"db_refused", "db_failed", "sql_wrong", "sql_failed"}
    assert asked.rows("SELECT count(*) FROM orders") == [(1000,)]
    assert not Path("/tmp/harm").exists()


@pytest.mark.parametrize("how", ["insert", "copy", "escape", "several", "set", "end", "do"])
def test_the_server_itself_refuses_what_our_own_look_at_the_text_let_through(
    asked: Asked, tmp_path: Path, how: str
) -> None:
    with pytest.raises(InputError), session(asked, tmp_path, user="tidemill") as made:
        made._parse(CURSOR + WRITES[how], len(CURSOR), Patient())


# --- errors in words -------------------------------------------------------------------


def test_a_mistake_is_told_with_its_place(done: Done) -> None:
    job = done("SELECT *\nFROM ordres")
    assert fault(job) == "sql_wrong"
    told = job.items.get().error_text
    assert "line 2, column 6" in told and "ordres" in told


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM hidden", "db_denied"),
        ("SELECT 1 / 0", "db_failed"),
        ("-- nothing", "db_refused"),
        ("SELECT $1::int", "db_refused"),
        ("SELEC 1", "db_refused"),
    ],
)
def test_each_fault_has_its_words(asked: Asked, tmp_path: Path, sql: str, code: str) -> None:
    with pytest.raises(InputError) as refused, session(asked, tmp_path) as made:
        made.ask(only_question(sql), Patient())
        list(made.lines(Patient()))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"user": "nobody"}, "db_login"),
        ({"database": "none"}, "db_login"),
        ({"tls": "require"}, "db_login"),
        ({"port": 9}, "db_unreachable"),
    ],
)
def test_a_database_that_lets_nobody_in_says_why(
    asked: Asked, tmp_path: Path, facts: dict[str, Any], code: str
) -> None:
    with pytest.raises(TidemillError) as refused, session(asked, tmp_path, **facts):
        pass
    assert refused.value.code == code
    assert "127.0.0.1" not in str(refused.value) and SECRET not in str(refused.value)


def test_an_unknown_host_is_told_by_the_child(asked: Asked, alice: User, settings: Any) -> None:
    settings.TIDEMILL_STEP_ATTEMPTS = 1
    job = ask(alice, connect(asked, host="no-such-host.invalid"), "SELECT 1")
    work_off()
    job.refresh_from_db()
    assert fault(job) == "db_unreachable"


def test_a_wrong_password_is_told_and_not_tried_again(asked: Asked, alice: User) -> None:
    shop = connect(asked)
    shop.set_password("an0ther-Secret")
    shop.save()
    job = ask(alice, shop, "SELECT 1")
    work_off()
    job.refresh_from_db()
    assert fault(job) == "db_login"
    assert job.steps.get(kind="work").attempt == 1


@pytest.mark.parametrize(
    ("limits", "sql", "code"),
    [
        ({"max_rows": 10}, "SELECT * FROM orders", "db_too_much"),
        ({"max_bytes": 1000}, "SELECT repeat('x', 600) FROM orders", "db_too_much"),
        ({"max_seconds": 1}, "SELECT pg_sleep(20)", "db_timeout"),
    ],
)
def test_limits_of_a_connection_hold(
    asked: Asked, alice: User, limits: dict[str, int], sql: str, code: str
) -> None:
    job = ask(alice, connect(asked, **limits), sql)
    work_off()
    job.refresh_from_db()
    assert fault(job) == code


def test_a_sample_has_the_first_rows_only(alice: User, shop: Connection) -> None:
    sql = "SELECT n FROM generate_series(1, 5000000) n"
    options = {"connection": shop.key, "sql": sql}
    job = submit(alice, JobRequest([StageRequest("db.query", options)], [], sample=True))
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert job.results.get(role="result").meta["rows"] == 1000
    browser = Client()
    browser.force_login(alice)
    assert "Get the whole answer" in browser.get(f"/jobs/{job.key}/").content.decode()
    whole = run_on_all(job)
    assert not whole.is_sample
    assert whole.stages.get().options == job.stages.get().options


def test_an_answer_feeds_the_next_operation(alice: User, shop: Connection) -> None:
    first = {"connection": shop.key, "sql": "SELECT city, amount FROM orders"}
    then = {"sql": "SELECT city, count(*) AS n FROM data GROUP BY ALL ORDER BY city"}
    stages = [StageRequest("db.query", first), StageRequest("data.query", then)]
    job = submit(alice, JobRequest(stages, []))
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, [i.error_text for i in job.items.all()]
    assert answer(job).read_text() == "city,n\nBerlin,500\nPorto,500\n"


def test_values_come_as_they_were_given(done: Done) -> None:
    """Typed by their places, and never read as SQL."""
    job = done(QUESTION, values=VALUES, format="parquet")
    assert rows(job) == [NASTY]
    found = done(
        "SELECT id FROM orders WHERE day >= :day AND id IN (:id) ORDER BY 1",
        values="day = 1999-12-31\nid = 2\nid = 3",
    )
    assert answer(found).read_text() == "id\n2\n3\n"
