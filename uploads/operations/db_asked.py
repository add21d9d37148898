"""What asking a database means, whichever it is: columns, lines of CSV, pulse, errors in words."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from uploads.errors import InputError
from uploads.operations.base import Context, Json
from uploads.operations.outside import Outside
from uploads.operations.places import BEFORE, ESCAPED, NAME, TEXT
from uploads.sizes import size_in_words

SAMPLE_ROWS = 1000
TOLD_SECONDS = 0.25
AROUND = 40
# Quoted texts, names and remarks, in which a semicolon divides nothing.
PIECE = re.compile("|".join((BEFORE, TEXT, NAME, ";|[^;]")), re.S)
# MySQL's texts escape by a backslash.
MYSQL_PIECE = re.compile("|".join((BEFORE, ESCAPED, NAME, ";|[^;]")), re.S)
REMARK = ("--", "/*")


@dataclass(frozen=True)
class Column:
    """One column of an answer: `kind` is DuckDB's type, `written` how its values come as text.

    `plain`: as DuckDB casts them; `json`: a list as JSON; `hex`: bytes as \\x…; `number`: decimals
    of any length; `mixed`: each of another type, as SQLite has them (`kind` is known at the end).
    """

    name: str
    kind: str = "VARCHAR"
    written: str = "plain"


@dataclass
class Found:
    """What a look at a database saw: the server in words, what is unwise, its tables."""

    server: str
    warnings: list[str] = field(default_factory=list)
    tables: list[Json] = field(default_factory=list)

    def as_json(self) -> Json:
        return {"server": self.server, "warnings": self.warnings, "tables": self.tables}


class Pulse(Protocol):
    """Hears what comes while a database works; each call may raise to stop it."""

    def idle(self) -> None: ...


class Session(Protocol):
    """One connection that can only read.

    `ask` prepares the question; then `columns` are known, `expected` (rows by the planner's
    estimate, 0 if it has none), and `lines` gives each row as a line of CSV: texts quoted,
    nothing for NULL. All raise `InputError` and `StepError` in words.
    """

    expected: float

    @property
    def columns(self) -> list[Column]: ...

    def ask(self, sql: str, pulse: Pulse) -> None: ...
    def lines(self, pulse: Pulse) -> Iterator[bytes]: ...
    def look(self) -> Found: ...
    def close(self) -> None: ...


@dataclass
class Receiving:
    """Counts what comes of an answer, says so, and stops what is beyond the limits."""

    step: Context[Any]
    outside: Outside
    tell: Callable[[float, str], None]
    expected: float = 0
    rows: int = 0
    size: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _told: float = 0

    def idle(self) -> None:
        """Tell that nothing has come for a moment."""
        self._check_time()
        if self.rows:
            self.told()
        elif self._is_due():
            waited = int(time.monotonic() - self._begun)
            self.tell(0.0, f"the database is working, {waited} s")

    def got(self, line: bytes) -> None:
        self.rows += 1
        self.size += len(line)
        if self.rows > self.outside.max_rows:
            raise self._too_much(f"{self.outside.max_rows:,} rows")
        if self.size > self.outside.max_bytes:
            raise self._too_much(size_in_words(self.outside.max_bytes))
        if not self.rows % 500:
            self._check_time()
            self.told()

    def _check_time(self) -> None:
        """Stop what takes too long, also where the database itself knows no limit."""
        if time.monotonic() - self._begun > self.outside.max_seconds:
            raise timed_out(self.outside)

    def _too_much(self, limit: str) -> InputError:
        return InputError("db_too_much", connection=self.outside.name, limit=limit)

    def told(self) -> None:
        if self._is_due():
            share = min(1.0, self.rows / self.expected) if self.expected else 0.0
            rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
            self.tell(share, f"{rows}, {size_in_words(self.size)}")

    def _is_due(self) -> bool:
        now = time.monotonic()
        due = now - self._told >= TOLD_SECONDS
        self._told = now if due else self._told
        return due


def timed_out(outside: Outside) -> InputError:
    limit = f"{outside.max_seconds:g} seconds"
    return InputError("db_timeout", connection=outside.name, limit=limit)


def only_question(sql: str, *, escapes: bool = False) -> str:
    """Return the one question of a text without the semicolon at its end.

    For people's sake: that a server runs one statement, and only such that reads, the
    sessions see to. Raises `InputError`.
    """
    pieces, made = [""], (MYSQL_PIECE if escapes else PIECE).finditer(sql)
    for found in made:
        if found[0] == ";":
            pieces.append("")
        else:
            pieces[-1] += found[0]
    said = [piece for piece in pieces if _says_something(piece)]
    if not said:
        raise InputError("db_refused", reason="there is nothing but remarks in it.")
    if len(said) > 1:
        raise InputError("db_refused", reason=f"there are {len(said)} of them.")
    return said[0].rstrip()


def _says_something(piece: str) -> bool:
    pieces = (found[0] for found in PIECE.finditer(piece))
    return any(part.strip() and not part.startswith(REMARK) for part in pieces)


def wrong_at(sql: str, place: int | None, reason: str, hint: str = "") -> InputError:
    """Return the error as a sentence with line and column; `place` counts letters from 0."""
    reason = reason.strip().rstrip(".")
    reason = f"{reason[:1].upper()}{reason[1:300]}."
    if place is None or not 0 <= place <= len(sql):
        return InputError("sql_failed", reason=reason, hint=hint or "Ask in another way.")
    before = sql[:place]
    start = before.rpartition("\n")[2]
    after = sql[place:].partition("\n")[0][:AROUND]
    return InputError(
        "sql_wrong",
        line=before.count("\n") + 1,
        column=len(start) + 1,
        reason=reason,
        near=f"{hint}{start[-AROUND:].lstrip()}▸{after}",
    )
