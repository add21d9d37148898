"""Questions to PostgreSQL: one read-only transaction, one statement, its rows streamed as CSV.

The question is sent by the extended protocol, which takes one statement. Before it runs it is
parsed as that of a cursor: the grammar then has no place for anything but a question. COPY
carries the rows: planned for several processes, formatted by the server, never held in memory.
The server looks each half second whether we are still there (`client_connection_check_interval`),
so a question ends with this process, however that ends.
"""

import json
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq

from uploads.errors import InputError, StepError
from uploads.operations.db_asked import Column, Found, Pulse, timed_out, wrong_at
from uploads.operations.db_postgresql_address import address, not_let_in
from uploads.operations.db_postgresql_look import look
from uploads.operations.db_postgresql_types import column_of
from uploads.operations.outside import Outside

PAUSE_SECONDS = 0.2
CURSOR = "DECLARE tidemill NO SCROLL CURSOR FOR\n"
COPY_END = "\n) TO STDOUT (FORMAT csv, FORCE_QUOTE *, NULL '')"
# What must hold, and what servers before 14 and poolers may not know.
NEEDED = (
    "SET default_transaction_read_only = on",
    "SET statement_timeout = {milliseconds}",
    "SET DateStyle = 'ISO, YMD'",
    "SET TimeZone = 'UTC'",
    "SET IntervalStyle = 'postgres'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
)
WISHED = (
    "SET client_connection_check_interval = 500",
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '10min'",
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)
GONE = {"57P01", "57P02", "57P03", "08006", "53300"}
QUESTIONS = {"SELECT", "WITH", "VALUES", "TABLE", "("}


class PostgreSQL:
    """One connection with its read-only transaction."""

    def __init__(self, outside: Outside, folder: Path) -> None:
        self._outside = outside
        self.columns: list[Column] = []
        self.expected = 0.0
        self._sql = ""
        try:
            self._connection = psycopg.connect(**address(outside, folder), autocommit=True)
        except psycopg.Error as error:
            raise not_let_in(error, outside) from None
        try:
            self._prepare()
        except psycopg.Error as error:
            self.close()
            raise self._told(error.sqlstate, error.diag.message_primary, None) from None

    def _prepare(self) -> None:
        milliseconds = int(self._outside.max_seconds * 1000)
        for setting in NEEDED:
            self._connection.execute(setting.format(milliseconds=milliseconds).encode())
        for setting in WISHED:
            try:
                self._connection.execute(setting.encode())
            except psycopg.Error:
                if self._connection.closed:
                    raise
        self._connection.execute("BEGIN READ ONLY")
        # A snapshot taken, no function can make the transaction writable again.
        row = self._connection.execute("SELECT current_setting('transaction_read_only')").fetchone()
        if row != ("on",):
            reason = "it does not promise to read only."
            raise StepError("db_lost", connection=self._outside.name, reason=reason)

    # --- asking ------------------------------------------------------------------------

    def ask(self, sql: str, pulse: Pulse) -> None:
        self._sql = sql
        first = sql.lstrip().split(maxsplit=1)[0].upper()
        if first.isalpha() and first not in QUESTIONS:
            raise InputError("db_refused", reason=f"it begins with {first}.")
        self._parse(CURSOR + sql, len(CURSOR), pulse)
        self._parse(sql, 0, pulse)
        self._raw.send_describe_prepared(b"")
        told = self._result(0, pulse)
        if told.nparams:
            raise InputError("db_refused", reason="it has places such as $1 that nobody fills.")
        self.columns = [
            column_of(str(told.fname(n), "utf-8"), told.ftype(n), told.fmod(n))
            for n in range(told.nfields)
            if told.fname(n) is not None
        ]
        if not self.columns:
            raise InputError("db_refused", reason="it gives no columns.")
        self._raw.send_query_params(b"EXPLAIN (FORMAT JSON) " + sql.encode(), None)
        self.expected = _plan_rows(self._result(0, pulse).get_value(0, 0))

    @property
    def _raw(self) -> Any:
        return self._connection.pgconn

    def _parse(self, sql: str, before: int, pulse: Pulse) -> None:
        self._raw.send_prepare(b"", sql.encode())
        self._result(before, pulse)

    def _result(self, before: int, pulse: Pulse) -> Any:
        """Return the one result of what was sent; errors count from the letter `before`."""
        last = None
        while (result := self._next(pulse)) is not None:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                self._drain(pulse)
                raise self._failed(result, before)
            last = result
        return last

    def _next(self, pulse: Pulse) -> Any:
        self._flush()
        while self._raw.is_busy():
            self._wait(pulse)
        return self._raw.get_result()

    def _drain(self, pulse: Pulse) -> None:
        while self._next(pulse) is not None:
            pass

    def _flush(self) -> None:
        while self._raw.flush():
            select.select([], [self._raw.socket], [], PAUSE_SECONDS)

    def _wait(self, pulse: Pulse) -> None:
        """Read what has come; say so when nothing has for a moment."""
        ready, _, _ = select.select([self._raw.socket], [], [], PAUSE_SECONDS)
        if not ready:
            pulse.idle()
            return
        try:
            self._raw.consume_input()
        except psycopg.Error as error:
            raise self._told(error.sqlstate, str(error), None) from None

    def lines(self, pulse: Pulse) -> Iterator[bytes]:
        try:
            yield from self._received(pulse)
        except psycopg.Error as error:
            raise self._told(error.sqlstate, str(error), None) from None

    def _received(self, pulse: Pulse) -> Iterator[bytes]:
        self._raw.nonblocking = 1
        self._raw.send_query_params(self._copy().encode(), None)
        begun = self._next(pulse)
        if begun.status != pq.ExecStatus.COPY_OUT:
            self._drain(pulse)
            raise self._failed(begun, None)
        count = 0
        while (size := (got := self._raw.get_copy_data(1))[0]) >= 0:
            if size:
                count += 1
                yield bytes(got[1])
            else:
                self._wait(pulse)
        ended = self._next(pulse)
        if ended.status != pq.ExecStatus.COMMAND_OK:
            raise self._failed(ended, None)
        if ended.command_tuples not in {None, count}:
            reason = f"{count:,} of {ended.command_tuples:,} rows came."
            raise StepError("db_lost", connection=self._outside.name, reason=reason)

    def _copy(self) -> str:
        """Return the statement that sends the rows; lists are made JSON by the server."""
        if not any(column.written == "json" for column in self.columns):
            return f"COPY (\n{self._sql}{COPY_END}"
        values = ", ".join(
            f"to_json(c{n})" if column.written == "json" else f"c{n}"
            for n, column in enumerate(self.columns)
        )
        names = ", ".join(f"c{n}" for n in range(len(self.columns)))
        return f"COPY (SELECT {values} FROM (\n{self._sql}\n) AS answer ({names}){COPY_END}"

    # --- errors ------------------------------------------------------------------------

    def _failed(self, result: Any, before: int | None) -> Exception:
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        said = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"it failed"
        place = result.error_field(pq.DiagnosticField.STATEMENT_POSITION)
        hint = result.error_field(pq.DiagnosticField.MESSAGE_HINT)
        at = int(place) - 1 - before if place and before is not None else None
        return self._told(
            state.decode() if state else None,
            said.decode(errors="replace"),
            at,
            hint.decode(errors="replace") if hint else "",
        )

    def _told(
        self, state: str | None, said: str | None, place: int | None, hint: str = ""
    ) -> Exception:
        """Return an error of the server in the catalogue's words."""
        reason = (said or "it failed").strip().partition("\n")[0][:300]
        named = {"connection": self._outside.name}
        if state == "57014" and "timeout" in reason:
            return timed_out(self._outside)
        if state == "42501":
            return InputError("db_denied", reason=f"{reason}.", **named)
        if state in {"25006", "0A000", "25001"} or "data-modifying" in reason:
            return InputError("db_refused", reason="it would do more than read.")
        if state == "42601" and "multiple commands" in reason:
            return InputError("db_refused", reason="there are several.")
        if state is None or state in GONE or state[:2] in {"08", "58", "XX", "40"}:
            return StepError("db_lost", reason="the connection ended.", **named)
        if state in {"55P03", "53200", "53100"}:
            return StepError("db_lost", reason=f"{reason}.", **named)
        if place is None:
            return InputError("db_failed", reason=f"{reason}.", hint=hint, **named)
        return wrong_at(self._sql, place, reason, f"{hint} " if hint else "")

    # --- looking -----------------------------------------------------------------------

    def look(self) -> Found:
        """Return the tables that the user may read, and what it could do beside reading."""
        try:
            return look(self._connection)
        except psycopg.Error as error:
            raise self._told(error.sqlstate, error.diag.message_primary, None) from None

    def close(self) -> None:
        self._connection.close()


def _plan_rows(plan: Any) -> float:
    try:
        return float(json.loads(plan)[0]["Plan"]["Plan Rows"])
    except (ValueError, LookupError, TypeError):
        return 0.0
