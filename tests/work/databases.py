"""Databases to ask in tests: a registered connection, a shop in SQLite, a job that asks it."""

import sqlite3
from pathlib import Path
from typing import Any

from tests.work.conftest import work_off
from uploads.models import Connection, Job
from uploads.states import JobState
from uploads.storage import store
from uploads.work.submit import JobRequest, StageRequest, submit

SECRET = "s3cret-Parola-9"


def shop_file(path: Path, rows: int = 1000) -> Path:
    """Write a small shop as an SQLite file."""
    with sqlite3.connect(path) as made:
        made.execute(
            "CREATE TABLE orders (id INTEGER, city TEXT, amount REAL, note TEXT, raw BLOB)"
        )
        made.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?)",
            (
                (n, ("Berlin", "Porto")[n % 2], n / 4, None if n % 3 else "", bytes([n % 256]))
                for n in range(rows)
            ),
        )
    made.close()
    return path


def register(name: str = "Shop", **facts: Any) -> Connection:
    """Register a connection that everyone may use, unless told otherwise."""
    made = Connection(name=name, **{"everyone": True, **facts})
    made.full_clean()
    made.save()
    return made


def ask(owner: Any, connection: Connection, sql: str, **options: Any) -> Job:
    """Submit one question."""
    chosen = {"connection": connection.key, "sql": sql, **options}
    return submit(owner, JobRequest([StageRequest("db.query", chosen)], []))


def answer(job: Job) -> Path:
    """Return the file of a job's answer."""
    return store.path(job.results.get(role="result").storage_key)


def done(job: Job) -> Job:
    """Work off whatever is ready, and return the job as it is then."""
    work_off()
    job.refresh_from_db()
    return job


def code(job: Job) -> str:
    """Work a job off that has to fail, and return why it did."""
    assert done(job).state == JobState.FAILED
    return job.items.get().error_code
