"""Drops rows that are there twice and takes samples; the rows that stay keep their order."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.naming import own_name
from uploads.operations.base import Context, Output
from uploads.operations.duck import Duck, Span, duck, name, within
from uploads.operations.tables import read, rejects, told_of
from uploads.operations.tables_convert import safe
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_out import hand_out
from uploads.operations.tables_rows import PLACE, columns_named, free, kept, listed, numbered
from uploads.operations.tables_write import Writing

if TYPE_CHECKING:
    from uploads.operations.data_thin import ThinTable

READ = 0.4
SEED = 20_000


def thin(source: Path, step: "Context[ThinTable]") -> Iterator[Output]:
    """Write each table of the file with fewer rows, and the dropped ones as a file beside it."""
    given = Given(source, step.name, step.media_type)
    writing = Writing(step.options.format)
    with duck(step, [source]) as engine, told_of(given):
        tables = read(given, engine, (0.0, READ), Reading())
        for note in (note for table in tables for note in table.notes):
            step.log(note)
        for number, table in enumerate(tables):
            span = within((READ, 1.0), number / len(tables), (number + 1) / len(tables))
            label = f"source-{safe(table.name)}" if len(tables) > 1 else "source"
            made = table
            if step.options.duplicates == "drop":
                made = yield from _each_once(table, label, engine, within(span, 0, 0.5))
            made = _sampled(made, engine, within(span, 0.5, 0.7))
            called = table.name or own_name(step.name)
            yield from hand_out(made, label, called, writing, engine, within(span, 0.7, 1))
        yield from rejects(given, engine, tables)


def _each_once(
    table: Table, label: str, engine: Duck, span: Span
) -> Generator[Output, None, Table]:
    """Return the table without duplicates; yields what was dropped, and says how many."""
    step: Context[ThinTable] = engine.step
    named = columns_named(step.options.columns, table, step.name)
    counting = [pair for pair in table.columns if not named or pair[0] in named]
    place = name(PLACE)
    keys = [_key(column, kind, loosely=step.options.loosely) for column, kind in counting]
    if named:  # rows that say nothing in these columns are no duplicates of each other
        nothing = " AND ".join(f"({key}) IS NULL" for key in keys)
        keys.append(f"CASE WHEN {nothing} THEN {place} END")
    which = "min" if step.options.stays == "first" else "max"
    stays = (
        f"(SELECT {which}({place}) AS {place} FROM {numbered(table)} GROUP BY {', '.join(keys)})"
    )
    chosen = f"SELECT {listed(table.columns)} FROM {numbered(table)} AS t"
    joined = f"JOIN {stays} AS s USING ({place}) ORDER BY {place}"
    made = kept(
        engine, "once", f"{chosen} SEMI {joined}", within(span, 0, 0.7), "looking for duplicates"
    )
    dropped = table.rows - made.rows
    if not dropped:
        step.log("No row is there twice.")
        return made
    others = f"SELECT {place} AS {name(free('row', table))}, {listed(table.columns)} FROM {numbered(table)} AS t"
    rest = kept(
        engine, "others", f"{others} ANTI {joined}", within(span, 0.7, 1), "listing them", dropped
    )
    rows = "1 row was" if dropped == 1 else f"{dropped:,} rows were"
    step.log(f"{rows} dropped: there before, or the same again.")
    called = f"{table.name or own_name(step.name)}: rows that were dropped"
    ends = (span[1], span[1])
    yield from hand_out(
        rest, f"{label}-duplicates", called, Writing("csv"), engine, ends, role="report"
    )
    return made


def _key(column: str, kind: str, *, loosely: bool) -> str:
    """Return what rows are compared by; an empty text says as little as none."""
    if kind != "VARCHAR":
        return name(column)
    return f"nullif(lower(trim({name(column)})), '')" if loosely else f"nullif({name(column)}, '')"


def _sampled(table: Table, engine: Duck, span: Span) -> Table:
    options = engine.step.options
    if options.sample == "all":
        return table
    wanted = options.rows if options.sample == "rows" else round(table.rows * options.percent / 100)
    count = min(table.rows, max(1, wanted)) if table.rows else 0
    place = name(PLACE)
    chosen = f"(SELECT {place} FROM {numbered(table)} ORDER BY hash({place} + {SEED}), {place} LIMIT {count})"
    asking = (
        f"SELECT {listed(table.columns)} FROM {numbered(table)} AS t SEMI JOIN {chosen} AS c "
        f"USING ({place}) ORDER BY {place}"
    )
    return kept(engine, "sample", asking, span, "choosing rows", count)
