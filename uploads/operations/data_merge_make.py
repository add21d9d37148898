"""Merges tables: finds one type for each column that holds all its values, then puts row after row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.naming import own_name
from uploads.operations.base import Context, Output
from uploads.operations.duck import Duck, duck, name, text, within
from uploads.operations.tables import read, rejects
from uploads.operations.tables_given import Given, Reading, Table, table_name
from uploads.operations.tables_heading import unique
from uploads.operations.tables_out import hand_out
from uploads.operations.tables_page import WHOLE_NUMBERS, words
from uploads.operations.tables_rows import PLACE, kept, no_column, numbered
from uploads.operations.tables_write import Writing

if TYPE_CHECKING:
    from uploads.operations.data_merge import MergeTables

READ, MERGED = 0.5, 0.75
# Whole numbers beyond it are not all numbers of a DOUBLE.
EXACT = 2**53
FLOATS = {"DOUBLE", "FLOAT"}


@dataclass
class Column:
    """One column of the merged table: its name, and its type in each piece that has it."""

    called: str
    kinds: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    kind: str = ""


@dataclass(frozen=True)
class Piece:
    """One table of one file."""

    given: Given
    table: Table

    @property
    def called(self) -> str:
        return f"{self.given.name}: {self.table.name}" if self.table.name else self.given.name


def merge(sources: Sequence[Path], step: "Context[MergeTables]") -> Iterator[Output]:
    """Write the one table; raises `InputError` with the name of the file that does not fit."""
    options = step.options
    with duck(step, sources) as engine:
        files = _files(sources, step)
        found: list[list[Table]] = []
        for place, given in enumerate(files):
            span = within((0, READ), place / len(files), (place + 1) / len(files))
            found.append(read(given, engine, span, Reading()))
            for note in (note for table in found[-1] for note in table.notes):
                step.log(f"{given.name}: {note}")
        pieces = [
            Piece(given, table)
            for given, tables in zip(files, found, strict=True)
            for table in tables
        ]
        columns = _columns(pieces, step)
        for column in columns:
            column.kind = _kind(column, pieces, engine)
        table = _merged(pieces, columns, step, engine)
        if options.duplicates == "drop":
            table = _each_once(table, len(columns), step, engine)
        writing = Writing(options.format)
        yield from hand_out(table, "merged", "merged", writing, engine, (MERGED, 1.0))
        for given, tables in zip(files, found, strict=True):
            yield from rejects(given, engine, tables)


def _files(sources: Sequence[Path], step: "Context[MergeTables]") -> list[Given]:
    labels = unique([table_name(own_name(source.name)) for source in step.sources])
    return [
        Given(path, source.name, source.media_type, label)
        for path, source, label in zip(sources, step.sources, labels, strict=True)
    ]


def _columns(pieces: Sequence[Piece], step: "Context[MergeTables]") -> list[Column]:
    """Return the columns of the one table, in the order in which they are met."""
    met: dict[str, Column] = {}
    for place, piece in enumerate(pieces):
        for column, kind in piece.table.columns:
            made = met.setdefault(column.casefold(), Column(column))
            made.kinds[place], made.names[place] = kind, column
    columns = list(met.values())
    partly = [column for column in columns if len(column.kinds) < len(pieces)]
    if partly and step.options.columns == "same":
        lacks = next(place for place in range(len(pieces)) if place not in partly[0].kinds)
        raise no_column(partly[0].called, pieces[lacks].table, pieces[lacks].called)
    if step.options.columns == "common":
        columns = [column for column in columns if column not in partly]
        if not columns:
            raise no_column(partly[0].called, pieces[-1].table, pieces[-1].called)
    if partly:
        names = ", ".join(f"“{column.called}”" for column in partly[:8])
        done = "left out" if step.options.columns == "common" else "empty where a file has none"
        step.log(f"Not in every file, so {done}: {names}{', …' if len(partly) > 8 else ''}.")
    return columns


def _kind(column: Column, pieces: Sequence[Piece], engine: Duck) -> str:
    """Return a type that holds every value of a column as it is; text where there is no other."""
    kinds = set(column.kinds.values())
    whole = {kind for kind in kinds if kind.removeprefix("U") in WHOLE_NUMBERS}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds == whole:
        # Parquet has no whole numbers of 128 bits.
        return "DECIMAL(38, 0)" if kinds & {"UBIGINT", "HUGEINT", "UHUGEINT"} else "BIGINT"
    if kinds <= whole | FLOATS and all(
        _is_exact(column.names[place], pieces[place], engine)
        for place, kind in column.kinds.items()
        if kind in whole
    ):
        return "DOUBLE"
    if kinds <= {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    said = [f"{words(kind)} in {pieces[place].called}" for place, kind in column.kinds.items()]
    engine.step.warn(
        f"Column “{column.called}” is text: it is {', '.join(said[:4])}{', …' if len(said) > 4 else ''}."
    )
    return "VARCHAR"


def _is_exact(called: str, piece: Piece, engine: Duck) -> bool:
    most = engine.one(f"SELECT max(abs({name(called)}::HUGEINT)) FROM {piece.table.source}")
    return most is None or int(most) <= EXACT


def _merged(
    pieces: Sequence[Piece], columns: Sequence[Column], step: "Context[MergeTables]", engine: Duck
) -> Table:
    called = unique([column.called for column in columns] + ["file"])
    selects = []
    for place, piece in enumerate(pieces):
        chosen = [
            f"{_value(column, place)}::{column.kind} AS {name(title)}"
            for column, title in zip(columns, called, strict=False)
        ]
        if step.options.origin:
            chosen.append(f"{text(piece.called)} AS {name(called[-1])}")
        selects.append(f"SELECT {', '.join(chosen)} FROM {piece.table.source}")
    rows = sum(piece.table.rows for piece in pieces)
    asking = " UNION ALL ".join(selects)
    return kept(engine, "together", asking, (READ, MERGED), "merging", rows)


def _value(column: Column, place: int) -> str:
    return name(column.names[place]) if place in column.names else "NULL"


def _each_once(table: Table, columns: int, step: "Context[MergeTables]", engine: Duck) -> Table:
    """Return the table with the first one of equal rows; where a row came from does not count."""
    alike = ", ".join(name(column) for column, _ in table.columns[:columns])
    place, source = name(PLACE), numbered(table)
    first = f"(SELECT min({place}) AS {place} FROM {source} GROUP BY {alike})"
    asking = (
        f"SELECT * EXCLUDE ({place}) FROM {source} SEMI JOIN {first} AS f USING ({place}) "
        f"ORDER BY {place}"
    )
    made = kept(engine, "once", asking, (MERGED, MERGED), "looking for duplicates")
    if dropped := table.rows - made.rows:
        step.log(f"{dropped:,} {'row was' if dropped == 1 else 'rows were'} there before: dropped.")
    return made
