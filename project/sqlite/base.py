"""Django's SQLite, whose writers look for the lock every fraction of a millisecond; knows no tables.

SQLite waits for another writer by sleeping 1, 2, 5, 10 … 100 ms between two looks, while a
transaction of a worker holds the lock for about one. So two busy workers would sleep most of
their time, and the longer one has waited the less likely is its turn. Here the first looks
of a transaction's BEGIN are short and even; after `EAGER_SECONDS` the lock is held by
something long, and SQLite's own patience (the `timeout` option) takes over.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db.backends.sqlite3 import base

EAGER_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 0.0001


class DatabaseWrapper(base.DatabaseWrapper):
    """Begins its transactions without long sleeps."""

    transaction_mode: str | None  # unknown to the stubs, as the method is

    def _start_transaction_under_autocommit(self) -> None:
        if self.transaction_mode != "IMMEDIATE" or not self._begin_soon():
            super()._start_transaction_under_autocommit()  # type: ignore[misc]

    def _begin_soon(self) -> bool:
        """Begin as soon as no other writes; False when one writes for long."""
        until = time.monotonic() + EAGER_SECONDS
        connection: sqlite3.Connection = self.connection
        with self.hurried():
            while time.monotonic() < until:
                try:
                    connection.execute("BEGIN IMMEDIATE").close()
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                        return False  # said again, and in Django's way, by the stock look
                    time.sleep(LOOK_SECONDS)
                else:
                    return True
        return False

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Take SQLite's own patience away: what finds the lock taken fails at once."""
        connection: sqlite3.Connection = self.connection
        patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
        connection.execute("PRAGMA busy_timeout = 0").close()
        try:
            yield
        finally:
            connection.execute(f"PRAGMA busy_timeout = {patience}").close()
