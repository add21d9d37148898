"""Splits tables: one pass sorts the rows into pieces, then each piece is written in its order."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError, StepError
from uploads.operations.base import Context, Output
from uploads.operations.duck import Duck, duck, name, text, within
from uploads.operations.tables import read, rejects, told_of
from uploads.operations.tables_convert import safe
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_heading import unique
from uploads.operations.tables_out import hand_out
from uploads.operations.tables_rows import PLACE, columns_named, kept, listed, numbered
from uploads.operations.tables_write import Writing

if TYPE_CHECKING:
    from uploads.operations.data_split import SplitTable

READ, SORTED = 0.4, 0.6
MOST_PIECES = 500
PART = "__tidemill_part"


@dataclass(frozen=True)
class Pieces:
    """How a table is divided: an expression that says which piece a row is of, and their names."""

    part: str
    joined: str
    names: list[str]


def split(source: Path, step: "Context[SplitTable]") -> Iterator[Output]:
    """Write the pieces in their order; raises `InputError` where there would be too many."""
    given = Given(source, step.name, step.media_type)
    with duck(step, [source]) as engine, told_of(given):
        tables = read(given, engine, (0.0, READ), Reading())
        for note in (note for table in tables for note in table.notes):
            step.log(note)
        for number, table in enumerate(tables):
            span = within((READ, 1.0), number / len(tables), (number + 1) / len(tables))
            label = f"source-{safe(table.name)}" if len(tables) > 1 else "source"
            pieces = (
                _by_rows(table, step) if step.options.by == "rows" else _by_value(table, engine)
            )
            folder = engine.path(f"pieces-{number}")
            _sort(table, pieces, folder, engine)
            engine.report(span[0] + (span[1] - span[0]) * SORTED, "writing")
            rest = within(span, SORTED, 1.0)
            yield from _written(table, pieces, folder, label, engine, rest)
        yield from rejects(given, engine, tables)


def _by_rows(table: Table, step: "Context[SplitTable]") -> Pieces:
    each = step.options.rows
    count = max(1, -(-table.rows // each))
    _refuse_many(count, step)
    digits = max(2, len(str(count)))
    names = [f"{number:0{digits}d}" for number in range(1, count + 1)]
    return Pieces(f"({name(PLACE)} - 1) // {each}", "", names)


def _by_value(table: Table, engine: Duck) -> Pieces:
    """Return a piece for each value, in the order in which they are met; an empty value is one, too."""
    step: Context[SplitTable] = engine.step
    column = columns_named(step.options.column, table, step.name)[0]
    count = engine.one(
        f"SELECT count(*) FROM (SELECT DISTINCT {name(column)} FROM {table.source} "
        f"LIMIT {MOST_PIECES * 100})"
    )
    _refuse_many(count, step)
    engine.rows(
        f"CREATE OR REPLACE TEMP TABLE met AS SELECT {name(column)} AS value, "
        f"row_number() OVER (ORDER BY min({name(PLACE)})) - 1 AS part "
        f"FROM {numbered(table)} GROUP BY {name(column)}"
    )
    values = engine.rows("SELECT value::VARCHAR FROM met ORDER BY part")
    names = unique([safe(value) if value not in {None, ""} else "empty" for (value,) in values])
    joined = f"JOIN met ON met.value IS NOT DISTINCT FROM t.{name(column)}"
    return Pieces("met.part", joined, names)


def _refuse_many(count: int, step: "Context[SplitTable]") -> None:
    if count > MOST_PIECES:
        raise InputError(
            "too_many_pieces", name=step.name, count=f"{count:,}", limit=str(MOST_PIECES)
        )


def _sort(table: Table, pieces: Pieces, folder: Path, engine: Duck) -> None:
    """Write the rows of each piece into a folder of its own, in no order yet."""
    columns = ", ".join(f"t.{name(column)}" for column, _ in table.columns)
    asking = (
        f"SELECT {columns}, t.{name(PLACE)}, {pieces.part} AS {name(PART)} "
        f"FROM {numbered(table)} AS t {pieces.joined}"
    )
    form = f"FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({name(PART)})"
    count = engine.one(f"COPY ({asking}) TO {text(folder)} ({form})", None, "sorting the rows")
    if count != table.rows:
        reason = f"{count:,} rows instead of {table.rows:,}."
        raise StepError("verification_failed", name=engine.step.name, reason=reason)


def _written(
    table: Table, pieces: Pieces, folder: Path, label: str, engine: Duck, span: tuple[float, float]
) -> Iterator[Output]:
    step: Context[SplitTable] = engine.step
    writing, rows = Writing(step.options.format), 0
    for part, called in enumerate(pieces.names):
        part_span = within(span, part / len(pieces.names), (part + 1) / len(pieces.names))
        own = folder / f"{PART}={part}"
        asking = (
            f"SELECT {listed(table.columns)} FROM read_parquet({text(own / '*.parquet')}, "
            f"hive_partitioning = false) ORDER BY {name(PLACE)}"
        )
        made = kept(engine, "piece", asking, within(part_span, 0, 0.4), "writing")
        rows += made.rows
        rest = within(part_span, 0.4, 1.0)
        several = len(pieces.names) > 1
        yield from hand_out(
            made, f"{label}-{called}", called, writing, engine, rest, paged=not several
        )
        made.path.unlink(missing_ok=True)
        shutil.rmtree(own)
    if rows != table.rows:
        reason = f"all pieces have {rows:,} rows instead of {table.rows:,}."
        raise StepError("verification_failed", name=step.name, reason=reason)
