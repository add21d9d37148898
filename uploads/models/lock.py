"""SQLite's one write lock: how not to wait for it, and whether somebody keeps it. PostgreSQL has none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction


@contextmanager
def hurried() -> Iterator[None]:
    """Let writes inside fail at once with `OperationalError` while another holds the lock.

    Inside a transaction, which has the lock already, it changes nothing.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    engine: Any = connection
    with engine.hurried():
        yield


def is_locked() -> bool:
    """Tell whether another program writes right now; begins a write and takes it back."""
    try:
        with hurried(), transaction.atomic():
            transaction.set_rollback(True)
    except OperationalError as error:
        return "locked" in str(error)
    return False
