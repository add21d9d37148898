"""An answer of a database becomes a file: asked, received in pieces of bounded size, written, counted."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.errors import InputError, StepError
from uploads.operations.base import Context, Output
from uploads.operations.db_asked import (
    SAMPLE_ROWS,
    Column,
    Receiving,
    Session,
    only_question,
)
from uploads.operations.duck import BUFFER_BYTES, LONGEST_LINE, Duck, QueryError, duck, name, text
from uploads.operations.outside import Outside
from uploads.operations.places import Style, filled
from uploads.operations.tables_given import Table
from uploads.operations.tables_heading import unique
from uploads.operations.tables_out import hand_out
from uploads.operations.tables_write import Writing

if TYPE_CHECKING:
    from uploads.operations.db import DatabaseQuestion

PIECE_BYTES = 128 * 1024**2
BLOCK_BYTES = 1024**2
RECEIVED = 0.8  # of the progress
LONGEST_NUMBER = 38
STYLES: dict[str, Style] = {"postgresql": "postgresql", "mysql": "mysql", "sqlite": "standard"}


def answer(step: "Context[DatabaseQuestion]") -> Iterator[Output]:
    """Ask the question, and hand out the answer with a page of its first rows."""
    outside = _outside(step)
    session = connected(step, outside)
    try:
        sql = only_question(step.options.sql, escapes=outside.kind == "mysql")
        sql = filled(sql, step.options.values, STYLES[outside.kind])
        # Only now: a filter on this process holds for threads that begin after it.
        with duck(step, []) as engine:
            receiving = Receiving(step, outside, lambda s, note: engine.report(s * RECEIVED, note))
            session.ask(sql, receiving)
            receiving.expected = session.expected
            spool = Spool(engine, session)
            for line in session.lines(receiving):
                receiving.got(line)
                spool.add(line)
                if step.sample_seconds is not None and receiving.rows == SAMPLE_ROWS:
                    step.log(f"A sample: only the first {SAMPLE_ROWS:,} rows.")
                    break
            table = spool.finish(receiving.rows)
            session.close()
            writing, called, sheet = Writing(step.options.format), step.name, outside.name
            rest = (RECEIVED, 1.0)
            yield from hand_out(
                table, "source", called, writing, engine, rest, sql=sql, sheet=sheet
            )
    finally:
        session.close()


def look(step: "Context[DatabaseQuestion]") -> Iterator[Output]:
    """Write what a look at the database saw as JSON."""
    session = connected(step, _outside(step))
    try:
        target = step.path("look.json")
        target.write_text(json.dumps(session.look().as_json(), ensure_ascii=False))
        yield Output(target)
    finally:
        session.close()


def _outside(step: Context[Any]) -> Outside:
    if step.outside is None:
        raise StepError("connection_gone", connection="that was chosen")
    return step.outside


def connected(step: Context[Any], outside: Outside) -> Session:
    """Connect, and give up every other connection for good."""
    session = _opener(outside)(outside, step.folder)
    try:
        step.shut_network()
    except BaseException:
        session.close()
        raise
    return session


def _opener(outside: Outside) -> Callable[[Outside, Path], Session]:
    # Each driver is heavy, and one of them may be missing.
    if outside.kind == "postgresql":
        from uploads.operations.db_postgresql import PostgreSQL

        return PostgreSQL
    if outside.kind == "mysql":
        try:
            from uploads.operations.db_mysql import MySQL
        except ModuleNotFoundError:
            raise InputError("db_driver", kind="MySQL", extra="mysql") from None
        return MySQL
    from uploads.operations.db_sqlite import SQLite

    return SQLite


class Spool:
    """Takes lines of CSV and keeps them as Parquet, a piece at a time."""

    def __init__(self, engine: Duck, session: Session) -> None:
        self._duck = engine
        self._session = session
        self._names = unique([column.name for column in session.columns])
        self._as_text: set[int] = set()
        self._pieces: list[Path] = []
        self._block: list[bytes] = []
        self._size = self._rows = 0
        self._file = self._path.open("wb")

    @property
    def _path(self) -> Path:
        return self._duck.path("received.csv")

    def add(self, line: bytes) -> None:
        self._block.append(line)
        self._size += len(line)
        self._rows += 1
        if len(self._block) >= 2000 or len(line) > BLOCK_BYTES:
            self._file.write(b"".join(self._block))
            self._block.clear()
            if self._size >= PIECE_BYTES:
                self._keep()

    def finish(self, rows: int) -> Table:
        """Return all that came as one table; raises `StepError` where rows are missing."""
        self._keep()
        self._file.close()
        self._path.unlink()
        target = self._duck.path("answer.parquet")
        pieces = ", ".join(text(piece) for piece in self._pieces)
        chosen = ", ".join(self._final(number) for number in range(len(self._names)))
        written = self._duck.one(
            f"COPY (SELECT {chosen} FROM read_parquet([{pieces}])) TO {text(target)} "
            "(FORMAT parquet, COMPRESSION zstd)",
            None,
            "writing",
        )
        for piece in self._pieces:
            piece.unlink()
        if written != rows:
            reason = f"{written:,} rows instead of {rows:,}."
            raise StepError("verification_failed", name=self._duck.step.name, reason=reason)
        return Table("", target, rows, tuple(self._duck.columns(f"read_parquet({text(target)})")))

    # --- a piece ---------------------------------------------------------------------

    def _keep(self) -> None:
        """Turn the CSV so far into a piece of Parquet."""
        self._file.write(b"".join(self._block))
        self._block.clear()
        self._file.close()
        piece = self._duck.path(f"piece-{len(self._pieces)}.parquet")
        try:
            kept = self._write(piece)
        except QueryError as error:
            if (
                error.kind not in {"Conversion", "Invalid Input", "Out of Range"}
                or not self._learn()
            ):
                raise
            kept = self._write(piece)
        if kept != self._rows:
            reason = f"{kept:,} rows instead of {self._rows:,}."
            raise StepError("verification_failed", name=self._duck.step.name, reason=reason)
        self._pieces.append(piece)
        self._size = self._rows = 0
        self._file = self._path.open("wb")

    def _write(self, piece: Path) -> int:
        chosen = ", ".join(
            f"{self._typed(number)} AS c{number}" for number in range(len(self._names))
        )
        return int(
            self._duck.one(
                f"COPY (SELECT {chosen} FROM {self._source()}) TO {text(piece)} "
                "(FORMAT parquet, COMPRESSION snappy)",
                None,
                f"{self._rows:,} rows received",
            )
        )

    def _source(self) -> str:
        types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(self._names)))
        return (
            f"read_csv({text(self._path)}, auto_detect = false, header = false, delim = ',', "
            "quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, "
            f"max_line_size = {LONGEST_LINE}, buffer_size = {BUFFER_BYTES}, columns = {{{types}}})"
        )

    def _typed(self, number: int) -> str:
        """Return the expression of a column's value in a piece."""
        column = self._session.columns[number]
        if number in self._as_text or column.written in {"number", "mixed"}:
            return f"c{number}"
        return cast(column, f"c{number}", self._binary)

    @property
    def _binary(self) -> bool:
        """Tell whether bytes stay bytes; elsewhere they are written as \\x…."""
        return bool(self._duck.step.options.format == "parquet")

    def _learn(self) -> bool:
        """Let columns be text that have values which their type can't hold; False if none has."""
        odd = [
            number
            for number, column in enumerate(self._session.columns)
            if number not in self._as_text and self._is_odd(number, column)
        ]
        for number in odd:
            self._duck.step.warn(
                f"Column “{self._names[number]}” has values that no {self._session.columns[number].kind} "
                "holds; it is text."
            )
        self._as_text.update(odd)
        return bool(odd)

    def _is_odd(self, number: int, column: Column) -> bool:
        if column.written in {"number", "mixed"} or column.kind == "VARCHAR":
            return False
        tried = cast(column, f"c{number}", self._binary).replace("CAST(", "TRY_CAST(")
        found = self._duck.one(
            f"SELECT count(*) FROM {self._source()} WHERE c{number} IS NOT NULL AND {tried} IS NULL"
        )
        return bool(found)

    # --- the whole -------------------------------------------------------------------

    def _final(self, number: int) -> str:
        """Return the expression of a column in the whole answer."""
        column, called = self._session.columns[number], name(self._names[number])
        value = f"c{number}"
        if number in self._as_text:
            value = f"c{number}::VARCHAR"
        elif column.written == "number":
            value = self._as_number(number)
        elif column.written == "mixed":
            value = cast(column, value, self._binary)
        return f"{value} AS {called}"

    def _as_number(self, number: int) -> str:
        """Return decimals in the shortest type that holds all of them exactly, else as text."""
        pieces = ", ".join(text(piece) for piece in self._pieces)
        value = f"ltrim(c{number}, '-')"
        whole, after, odd = self._duck.rows(
            f"SELECT max(length(split_part({value}, '.', 1))), max(length(split_part({value}, '.', 2))), "
            f"count(*) FILTER (NOT regexp_full_match(c{number}, '-?[0-9]+(\\.[0-9]+)?')) "
            f"FROM read_parquet([{pieces}])"
        )[0]
        if whole is None:
            return f"c{number}::DECIMAL(18, 3)"
        if odd or whole + after > LONGEST_NUMBER:
            return f"c{number}"
        return f"c{number}::DECIMAL({max(whole + after, 1)}, {after})"


def cast(column: Column, value: str, binary: bool) -> str:
    """Return the expression that gives a column's text its type."""
    if column.written == "json":
        return f"CAST(CAST({value} AS JSON) AS {column.kind})"
    if column.written == "hex" or (column.written == "mixed" and column.kind == "BLOB"):
        return f"from_hex(substr({value}, 3))" if binary else value
    if column.kind == "VARCHAR":
        return value
    if column.kind == "DATE" or column.kind.startswith("TIMESTAMP"):
        # DuckDB would read over it: then it has to fail.
        value = f"CASE WHEN suffix({value}, 'BC') THEN 'BC' ELSE {value} END"
    return f"CAST({value} AS {column.kind})"
