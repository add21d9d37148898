"""Reads that belong together see the rows of one moment, without keeping anybody from writing."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connection, transaction

REPEATABLE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


@contextmanager
def one_moment() -> Iterator[None]:
    """Let all reads inside see one state of the database; nothing may be written inside.

    Else a job's row of before a commit and its steps of after it would show progress that
    never was. Inside another transaction it is that one's moment.
    """
    if connection.in_atomic_block:
        yield
        return
    with ExitStack() as stack:
        if connection.vendor == "sqlite":
            with _without_write_lock():
                stack.enter_context(transaction.atomic())
        else:
            stack.enter_context(transaction.atomic())
            with connection.cursor() as cursor:
                cursor.execute(REPEATABLE)
        yield


@contextmanager
def _without_write_lock() -> Iterator[None]:
    """Let a transaction that is begun inside take SQLite's lock for reading only."""
    connection.ensure_connection()  # which sets the mode
    sqlite: Any = connection
    mode, sqlite.transaction_mode = sqlite.transaction_mode, "DEFERRED"
    try:
        yield
    finally:
        sqlite.transaction_mode = mode
