"""Questions to an SQLite file: opened for reading, every statement but a question refused."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote

from uploads.errors import InputError, StepError
from uploads.operations.base import Json
from uploads.operations.db_asked import Column, Found, Pulse, wrong_at
from uploads.operations.duck import name
from uploads.operations.outside import Outside
from uploads.operations.tables_cells import cell_of, type_of

BATCH = 500
LOOK_STEPS = 200_000  # of SQLite's machine: some milliseconds
WAIT_SECONDS = 10
ASKING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
REFUSED = {"load_extension", "fts3_tokenizer"}
WAL_MARK = slice(18, 20)
CHANGES = slice(24, 28)
MOST_TABLES = 300


class SQLite:
    """One file. What it looked like at the beginning tells whether somebody wrote meanwhile."""

    def __init__(self, outside: Outside, folder: Path) -> None:
        self._outside = outside
        self._path = Path(outside.database)
        self._before = self._state()
        self.expected = 0.0
        self._names: list[str] = []
        self._kinds: list[set[str]] = []
        self._stopped: BaseException | None = None
        address = f"file:{url_quote(str(self._path))}?mode=ro"
        # A WAL file of which no other program has it open: its side files can't be made here.
        self._alone = self._is_wal() and not Path(f"{self._path}-shm").exists()
        try:
            self._database = sqlite3.connect(
                address + ("&immutable=1" if self._alone else ""),
                uri=True,
                timeout=WAIT_SECONDS,
                isolation_level=None,
            )
            self._database.text_factory = lambda raw: raw.decode(errors="replace")
            for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            raise self._unreadable(str(error)) from None

    def _state(self) -> tuple[Any, ...]:
        """Return what changes whenever somebody writes to the file."""
        try:
            with self._path.open("rb") as file:
                head = file.read(100)
            told = self._path.stat()
        except OSError as error:
            raise self._unreadable(error.strerror or "it is closed") from None
        return told.st_size, told.st_mtime_ns, head[CHANGES], Path(f"{self._path}-wal").exists()

    def _is_wal(self) -> bool:
        with self._path.open("rb") as file:
            return file.read(100)[WAL_MARK] == b"\x02\x02"

    def _unreadable(self, reason: str) -> InputError:
        return InputError("db_file", connection=self._outside.name, reason=f"{reason}.")

    # --- asking ------------------------------------------------------------------------

    def ask(self, sql: str, pulse: Pulse) -> None:
        self._database.set_progress_handler(lambda: self._look(pulse), LOOK_STEPS)
        self._database.set_authorizer(_allowed)
        self._sql = sql
        try:
            self._cursor = self._database.execute(sql)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._told(error) from None
        if self._cursor.description is None:
            raise InputError("db_refused", reason="it gives no rows.")
        self._names = [entry[0] for entry in self._cursor.description]
        self._kinds = [set() for _ in self._names]

    @property
    def columns(self) -> list[Column]:
        """Return the columns with the types that their values had so far."""
        both = zip(self._names, self._kinds, strict=True)
        return [Column(called, _type(kinds), "mixed") for called, kinds in both]

    def _look(self, pulse: Pulse) -> int:
        try:
            pulse.idle()
        except BaseException as wish:  # raised again where it is heard
            self._stopped = wish
            return 1
        return 0

    def lines(self, pulse: Pulse) -> Iterator[bytes]:
        try:
            while rows := self._cursor.fetchmany(BATCH):
                for row in rows:
                    yield self._line(row)
        except sqlite3.Error as error:
            raise self._told(error) from None
        if self._alone and self._state() != self._before:
            reason = "its file was written meanwhile."
            raise StepError("db_lost", connection=self._outside.name, reason=reason)

    def _line(self, row: tuple[Any, ...]) -> bytes:
        cells = []
        for kinds, value in zip(self._kinds, row, strict=True):
            if isinstance(value, bytes):
                kind, cell = "bytes", f'"\\x{value.hex()}"'
            else:
                kind, cell = cell_of(value)
            kinds.add(kind)
            cells.append(cell)
        return (",".join(cells) + "\n").encode("utf-8", "replace")

    def _told(self, error: Exception) -> Exception:
        """Return SQLite's error in words, or what stopped the question."""
        if self._stopped is not None:
            return self._stopped if isinstance(self._stopped, Exception) else error
        reason = str(error)
        if isinstance(error, sqlite3.Warning | sqlite3.ProgrammingError):
            return InputError("db_refused", reason="there are several.")
        if "not authorized" in reason or "prohibited" in reason or "readonly" in reason:
            return InputError("db_refused", reason="it would do more than read.")
        if "locked" in reason or "busy" in reason:
            reason = "another program writes to it"
            return StepError("db_unreachable", connection=self._outside.name, reason=f"{reason}.")
        if isinstance(error, sqlite3.DatabaseError) and "malformed" in reason:
            return self._unreadable(reason)
        return wrong_at(self._sql, _place(reason, self._sql), reason)

    # --- looking -------------------------------------------------------------------------

    def look(self) -> Found:
        """Return the file's tables and views."""
        rows = self._database.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
            "AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name LIMIT ?",
            (MOST_TABLES,),
        )
        tables = [self._described(called) for (called,) in rows.fetchall()]
        return Found(f"SQLite {sqlite3.sqlite_version}", [], tables)

    def _described(self, called: str) -> Json:
        try:
            rows = self._database.execute(f"PRAGMA table_info({name(called)})").fetchall()
        except sqlite3.Error:  # a view of what is gone
            rows = []
        return {"name": called, "columns": [[row[1], (row[2] or "any").lower()] for row in rows]}

    def close(self) -> None:
        self._database.close()


def _allowed(action: int, first: str | None, second: str | None, *_: Any) -> int:
    """Let a question read and compute; attaching, writing, PRAGMAs and extensions are refused."""
    if action in ASKING:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second not in REFUSED:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _type(kinds: set[str]) -> str:
    return "BLOB" if kinds - {""} == {"bytes"} else type_of(kinds)


def _place(reason: str, sql: str) -> int | None:
    """Return where the word is that SQLite complains of, if it is there once."""
    word = reason.partition('near "')[2].partition('"')[0] or reason.rpartition(": ")[2]
    word = word.rpartition(".")[2] if word not in sql else word
    return sql.find(word) if word and sql.count(word) == 1 else None
