"""Questions to MySQL and MariaDB: a read-only session, one statement, its rows one after another.

Before it runs a question is prepared twice: alone, and as a table inside another question. Only
what reads passes both; `INTO OUTFILE` is no table. A second connection, made at the same time,
ends the question when nobody wants it any more.
"""

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pymysql

from uploads.errors import InputError, StepError
from uploads.operations.base import Json
from uploads.operations.db_asked import Column, Found, Pulse, timed_out, wrong_at
from uploads.operations.db_mysql_address import connected
from uploads.operations.outside import Outside

T = TypeVar("T")

PAUSE_SECONDS = 0.2
GIVE_UP_SECONDS = 2.0
BATCH = 500
MOST_TABLES = 300
SAME_NAME_TWICE = 1060
NO_TLS = 2026
LOGIN, DENIED = {1044, 1045, 1049, 1698, 3159}, {1142, 1143, 1227, 1370}
READ_ONLY, LOST, LATE = {1290, 1792, 1836}, {1053, 1158, 1159, 1317, 2006, 2013}, {1969, 3024}
PLAIN = {
    1: "SMALLINT",
    2: "INTEGER",
    3: "BIGINT",
    9: "INTEGER",
    13: "SMALLINT",
    4: "FLOAT",
    5: "DOUBLE",
    7: "TIMESTAMPTZ",
    10: "DATE",
    12: "TIMESTAMP",
    245: "JSON",
}
DECIMALS, WHOLE, BITS, BINARY = {0, 246}, 8, 16, 63
UNSIGNED = 32
TEXTS = {15, 249, 250, 251, 252, 253, 254, 255}


class MySQL:
    """Two connections: one asks, the other one can end that."""

    def __init__(self, outside: Outside, folder: Path) -> None:
        self._outside = outside
        self._thread = ThreadPoolExecutor(1)
        self.columns: list[Column] = []
        self.expected = 0.0
        self._sql = ""
        self._busy = False
        self._cursor: Any = None
        self._running: Future[Any] | None = None
        try:
            self._asking = connected(outside)
            self._ending = connected(outside)
            self._prepare()
        except pymysql.MySQLError as error:
            raise self._told(error) from None
        except OSError:
            reason = "the connection could not be made."
            raise StepError("db_unreachable", connection=outside.name, reason=reason) from None

    def _prepare(self) -> None:
        seconds = self._outside.max_seconds
        self._run("SET SESSION TRANSACTION READ ONLY")
        self._run("SET SESSION time_zone = '+00:00'")
        for limit in (
            f"max_execution_time = {int(seconds * 1000)}",
            f"max_statement_time = {seconds}",
        ):
            with suppress(pymysql.MySQLError):  # MySQL knows the one, MariaDB the other
                self._run(f"SET SESSION {limit}")

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        with self._asking.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    # --- asking ------------------------------------------------------------------------

    def ask(self, sql: str, pulse: Pulse) -> None:
        self._sql = sql
        for tried in (sql, f"SELECT * FROM (\n{sql}\n) AS answer"):
            try:
                self._run(f"PREPARE question FROM {self._asking.escape(tried, {str: _quoted})}")
            except pymysql.MySQLError as error:
                if error.args[0] == SAME_NAME_TWICE:
                    continue
                if tried is not sql:
                    raise InputError("db_refused", reason="it would do more than read.") from None
                raise self._told(error) from None
        self._cursor = self._asking.cursor(pymysql.cursors.SSCursor)
        self._busy = True
        self._await(lambda: self._cursor.execute(sql), pulse)
        self.columns = [_column(field) for field in self._cursor._result.fields]

    def _await(self, deed: Callable[[], T], pulse: Pulse) -> T:
        """Do something that may take long in the thread, and look for a wish to stop meanwhile."""
        running: Future[T] = self._thread.submit(deed)
        self._running = running
        while not wait([running], PAUSE_SECONDS).done:
            pulse.idle()
        try:
            return running.result()
        except pymysql.MySQLError as error:
            raise self._told(error) from None

    def lines(self, pulse: Pulse) -> Iterator[bytes]:
        while rows := self._await(lambda: self._cursor.fetchmany(BATCH), pulse):
            for row in rows:
                yield b",".join([_cell(value) for value in row]) + b"\n"
        self._busy = False

    # --- errors ------------------------------------------------------------------------

    def _told(self, error: Exception) -> Exception:
        """Return an error of the server in the catalogue's words."""
        code = error.args[0] if error.args else 0
        reason = str(error.args[1] if len(error.args) > 1 else error)[:300]
        named = {"connection": self._outside.name}
        if code in LOGIN:
            said = "the user, its password or the database's name is wrong."
            return InputError("db_login", reason=said, **named)
        if code == NO_TLS or "certificate" in reason.lower():
            said = "it does not speak the encryption that is asked for, or is another server."
            return InputError("db_login", reason=said, **named)
        if code in DENIED:
            return InputError("db_denied", reason="the user has no right to it.", **named)
        if code in READ_ONLY:
            return InputError("db_refused", reason="it would do more than read.")
        if code in LATE:
            return timed_out(self._outside)
        if code in LOST or isinstance(error, pymysql.InterfaceError):
            return StepError("db_lost", reason="the connection ended.", **named)
        if isinstance(error, pymysql.OperationalError) and 2000 <= int(code) < 3000:
            reason = "the connection could not be made."
            return StepError("db_unreachable", reason=reason, **named)
        return wrong_at(self._sql, _place(reason, self._sql), reason)

    # --- looking -----------------------------------------------------------------------

    def look(self) -> Found:
        """Return the tables that the user sees, and what it could do beside reading."""
        version = _text(self._run("SELECT version()")[0][0])
        kind = "MariaDB" if "MariaDB" in version else "MySQL"
        found = Found(f"{kind} {version.partition('-')[0]}")
        grants = [_text(row[0]).upper() for row in self._run("SHOW GRANTS")]
        writing = (
            "ALL PRIVILEGES",
            "INSERT",
            "UPDATE",
            "DELETE",
            "CREATE",
            "DROP",
            "FILE",
            "SUPER",
        )
        could = sorted(
            {word for word in writing for grant in grants if word in grant.partition(" ON ")[0]}
        )
        if could:
            found.warnings.append(f"Its user could do more than read: {', '.join(could)}.")
        if not isinstance(self._asking._sock, ssl.SSLSocket):
            found.warnings.append("The connection is not encrypted.")
        tables: dict[str, Json] = {}
        for table, column, type_ in self._run(
            "SELECT table_name, column_name, column_type FROM information_schema.columns "
            "WHERE table_schema = database() ORDER BY table_name, ordinal_position"
        ):
            made = tables.setdefault(_text(table), {"name": _text(table), "columns": []})
            made["columns"].append([_text(column), _text(type_)])
        found.tables = list(tables.values())[:MOST_TABLES]
        return found

    def close(self) -> None:
        """End the question if it still runs, then both connections; safe to repeat."""
        if self._busy:
            self._busy = False
            with suppress(pymysql.MySQLError, OSError), self._ending.cursor() as cursor:
                cursor.execute(f"KILL QUERY {int(self._asking.thread_id())}")
        if self._running is not None:
            wait([self._running], GIVE_UP_SECONDS)
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._cursor is not None:  # it would read the rest of the answer before it goes
            if self._cursor._result is not None:
                self._cursor._result.unbuffered_active = False
            self._cursor.connection = None
        for made in (self._asking, self._ending):
            with suppress(pymysql.MySQLError, OSError, AttributeError):
                made._force_close()


def _quoted(value: str, _: Any = None) -> str:
    plain = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{plain}'"


def _column(field: Any) -> Column:
    """Return one column by the server's type, flags and character set."""
    code = field.type_code
    if code in DECIMALS:
        return Column(field.name, "VARCHAR", "number")
    if code == WHOLE:
        return Column(field.name, "UBIGINT" if field.flags & UNSIGNED else "BIGINT")
    if code == BITS or (code in TEXTS and field.charsetnr == BINARY):
        return Column(field.name, "BLOB", "hex")
    return Column(field.name, PLAIN.get(code, "VARCHAR"))


def _cell(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return b'"\\x' + value.hex().encode() + b'"'
    return b'"' + str(value).replace('"', '""').replace("\0", "\ufffd").encode() + b'"'


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _place(reason: str, sql: str) -> int | None:
    """Return where the words are that the server complains of, if they are there once."""
    near = (
        reason.partition("near '")[2].rpartition("' at line")[0]
        or reason.partition("'")[2].partition("'")[0]
    )
    for word in (near, near.rpartition(".")[2]):
        if word and sql.count(word) == 1:
            return sql.find(word)
    return None
