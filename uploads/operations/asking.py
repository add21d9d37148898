"""Puts questions in SQL to tables: names them, asks, and says where a question does not work."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.errors import InputError
from uploads.operations.asking_room import FIRST, Room, names_of
from uploads.operations.base import Context, Output
from uploads.operations.duck import Duck, QueryError, Span, duck, first_line, name, text, within
from uploads.operations.places import filled
from uploads.operations.tables_given import Given, Table
from uploads.operations.tables_out import hand_out
from uploads.operations.tables_types import is_odd
from uploads.operations.tables_write import Writing

if TYPE_CHECKING:
    from uploads.operations.query import Question

MOST_QUESTIONS = 20
# Of a question's share of the progress; the rest is for writing its answer.
ASKED = 0.7
# To read everything takes as long as so many questions: the median of 48 recorded jobs.
READ_QUESTIONS = 1.8
AROUND = 40


@dataclass(frozen=True)
class Asked:
    """One question: its SQL, and at which byte of the whole text it begins."""

    sql: str
    begin: int


def answer(sources: Sequence[Path], step: "Context[Question]") -> Iterator[Output]:
    """Answer every question with a file and a page of its first rows."""
    with duck(step, sources) as engine:
        sql = filled(step.options.sql, step.options.values)
        questions = _questions(sql, engine)
        names = names_of(sources, step, engine)
        room = Room(engine, names)
        read = READ_QUESTIONS / (READ_QUESTIONS + len(questions))
        room.open(_uses(questions, engine), read)
        step.log(f"Tables: {', '.join(room.views)}.")
        rest = (read if room.tables else 0.0, 1.0)
        writing = Writing(step.options.format)
        for number, asked in enumerate(questions):
            span = within(rest, number / len(questions), (number + 1) / len(questions))
            table = _ask(asked, room, sql, number, within(span, 0, ASKED))
            called = _answer_name(names, number, len(questions))
            rest_of_it = within(span, ASKED, 1)
            yield from hand_out(table, called, called, writing, engine, rest_of_it, sql=asked.sql)
        yield from room.leave()


def _answer_name(names: dict[str, Given], number: int, of: int) -> str:
    stem = f"{next(iter(names))}-answer" if len(names) == 1 else "answer"
    return f"{stem}-{number + 1}" if of > 1 else stem


# --- asking ------------------------------------------------------------------------


def _questions(sql: str, engine: Duck) -> list[Asked]:
    """Return the questions of a text; only such that read are allowed."""
    try:
        found = engine.statements(sql)
    except QueryError as error:
        raise _wrong(error, sql, Asked(sql, 0), []) from error
    raw, cursor, made = sql.encode(), 0, []
    for kind, query in found:
        begin = max(cursor, raw.find(query.encode(), cursor))
        cursor = begin + len(query.encode())
        line = raw[:begin].count(b"\n") + 1
        if kind == "MULTI":
            reason = f"the PIVOT of line {line} needs its values, as in PIVOT … ON … IN (…)."
            raise InputError("sql_refused", reason=reason)
        if kind != "SELECT":
            raise InputError("sql_refused", reason=f"line {line} has a {kind} statement.")
        made.append(Asked(query.rstrip().rstrip(";"), begin))
    if not made:
        raise InputError("sql_refused", reason="nothing but remarks is in it.")
    if len(made) > MOST_QUESTIONS:
        reason = f"there are {len(made)} of them; at most {MOST_QUESTIONS} are possible at once."
        raise InputError("sql_refused", reason=reason)
    return made


def _ask(asked: Asked, room: Room, sql: str, number: int, span: Span) -> Table:
    """Run one question and return its answer as a table."""
    target = room.duck.path(f"answer-{number + 1}.parquet")
    rows = None
    try:
        while rows is None or room.misread():
            try:
                rows = _write_answer(asked, room.duck, target, span)
            except QueryError as error:
                if not is_odd(error) or not room.learn():
                    raise
                rows = None
    except QueryError as error:
        error.reason = _without_paths(error.reason, room)
        raise _wrong(error, sql, asked, [*room.views, FIRST]) from error
    columns = tuple(room.duck.columns(f"read_parquet({text(target)})"))
    return Table("", target, rows, columns)


def _write_answer(asked: Asked, engine: Duck, target: Path, span: Span) -> int:
    """Write an answer as Parquet, which has no whole numbers of 128 bits; returns its rows."""
    before, after = "DESCRIBE (\n", "\n)"
    with _counting_from(before):
        columns = [(row[0], row[1]) for row in engine.rows(before + asked.sql + after)]
    huge = [name(column) for column, kind in columns if kind in {"HUGEINT", "UHUGEINT"}]
    before, after = "COPY (\n", f"\n) TO {text(target)} (FORMAT parquet, COMPRESSION zstd)"
    if huge and len({column.casefold() for column, _ in columns}) == len(columns):
        exact = ", ".join(f"{column}::DECIMAL(38, 0) AS {column}" for column in huge)
        before, after = f"COPY (SELECT * REPLACE ({exact}) FROM (\n", f"\n){after}"
    with _counting_from(before):
        return int(engine.one(before + asked.sql + after, span, "asking"))


@contextmanager
def _counting_from(before: str) -> Iterator[None]:
    """Let positions in errors count from the question's own first byte."""
    try:
        yield
    except QueryError as error:
        if error.position is not None:
            error.position -= len(before.encode())
        raise


def _uses(questions: Sequence[Asked], engine: Duck) -> dict[str, int]:
    """Return how often each table is named in all questions; many times where that is not clear."""
    found: dict[str, int] = {}
    for asked in questions:
        try:
            tree = json.loads(engine.one(f"SELECT json_serialize_sql({text(asked.sql)})"))
        except (QueryError, ValueError):
            tree = {"error": True}
        if tree.get("error"):
            return {}
        for used in _tables_in(tree):
            found[used] = found.get(used, 0) + 1
    return found


def _tables_in(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if tree.get("type") == "BASE_TABLE":
            yield str(tree.get("table_name", "")).casefold()
        for branch in tree.values():
            yield from _tables_in(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _tables_in(branch)


# --- names and places ----------------------------------------------------------------


def _without_paths(reason: str, room: Room) -> str:
    """Return DuckDB's reason with the owner's names of files in the place of ours."""
    for given in room.names.values():
        reason = reason.replace(str(given.path), given.name)
    return reason.replace(f"{room.duck.folder}/", "")


def _wrong(error: QueryError, sql: str, asked: Asked, tables: Sequence[str]) -> InputError:
    """Return the error as a sentence with line and column in the text that was sent."""
    reason, hint = first_line(error.reason), ""
    near = [word for word in error.candidates if word and "(" not in word][:5]
    if error.missing and error.name:
        kind = "table" if "able with name" in reason else "function"
        kind = kind if error.kind == "Catalog" else "column"
        reason = f"There is no {kind} “{error.name}”."
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        if kind == "table" and tables:
            hint = f"The tables are {', '.join(dict.fromkeys(tables))}. "
    raw = sql.encode()
    place = asked.begin + (error.position or 0)
    if error.position is None or not 0 <= error.position <= len(raw) - asked.begin:
        return InputError("sql_failed", reason=reason, hint=hint or "Ask in another way.")
    so_far = raw[:place].decode(errors="replace")
    start = so_far.rpartition("\n")[2]
    after = raw[place:].decode(errors="replace").partition("\n")[0][:AROUND]
    return InputError(
        "sql_wrong",
        line=so_far.count("\n") + 1,
        column=len(start) + 1,
        reason=reason,
        near=f"{hint}{start[-AROUND:].lstrip()}▸{after}",
    )
