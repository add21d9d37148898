"""Django's PostgreSQL, whose silence counts as its absence; knows no tables.

libpq waits for an answer for ever when the server is stopped, swaps or is cut off
behind a proxy. Here a statement that is not answered in `TIDEMILL_DATABASE_SECONDS`
closes its connection and raises `OperationalError`; whether it was done, only its
rows can tell. Changes of the schema may take as long as they take.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from uploads.conf import conf

Waiting = Generator[Any, Any, Any]


class DatabaseWrapper(base.DatabaseWrapper):
    """Bounds each wait of its connections."""

    patient = False

    def get_new_connection(self, conn_params: Any) -> Any:
        """Return a connection whose waits for the server are bounded."""
        connection = super().get_new_connection(conn_params)
        stock = connection.wait

        def wait(statement: Waiting, *values: Any, **named: Any) -> Any:
            seconds = float("inf") if self.patient else conf.DATABASE_SECONDS
            try:
                return stock(_bounded(statement, time.monotonic() + seconds), *values, **named)
            except _SilentError as error:
                connection.pgconn.finish()
                raise psycopg.OperationalError("the server does not answer") from error

        connection.wait = wait
        return connection

    def schema_editor(self, *values: Any, **named: Any) -> Any:
        """Return Django's schema editor; from now on this connection waits for ever."""
        self.patient = True
        return super().schema_editor(*values, **named)


class _SilentError(Exception):
    """The server has not answered in time."""


def _bounded(statement: Waiting, until: float) -> Waiting:
    """Pass a statement's waits on; psycopg looks in each 0.1 s, with 0 when nothing is ready."""
    try:
        state = next(statement)
        while True:
            ready = yield state
            if not ready and time.monotonic() > until:
                raise _SilentError
            state = statement.send(ready)
    except StopIteration as end:
        return end.value
