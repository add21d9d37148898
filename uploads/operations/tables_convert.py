"""Converts the tables of one file: reads, writes, counts, and shows the first rows as a page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.naming import own_name
from uploads.operations.base import Context, Output
from uploads.operations.data import SEPARATORS
from uploads.operations.duck import Duck, duck, within
from uploads.operations.tables import read, rejects, told_of
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_heading import unique
from uploads.operations.tables_out import hand_out
from uploads.operations.tables_page import rows_page
from uploads.operations.tables_write import SUFFIXES, TOGETHER, Writing, write_together

if TYPE_CHECKING:
    from uploads.operations.data import ConvertTables


def convert(source: Path, step: "Context[ConvertTables]") -> Iterator[Output]:
    """Write each table of the file in the wanted format; raises `InputError` for what is none."""
    options = step.options
    given = Given(source, step.name, step.media_type)
    reading = Reading(
        separator=SEPARATORS.get(options.read_separator, ""),
        header=options.read_header,
        keep_odd=options.odd_values == "text",
    )
    packed = options.compression if options.format in {"csv", "json", "ndjson"} else "none"
    separator = SEPARATORS[options.separator]
    writing = Writing(options.format, separator, header=options.header, compression=packed)
    with duck(step, [source]) as engine, told_of(given):
        tables = read(given, engine, (0.0, 0.6), reading)
        for note in (note for table in tables for note in table.notes):
            step.log(note)
        yield from _written(tables, writing, engine, step)
        yield from rejects(given, engine, tables)


def _written(
    tables: Sequence[Table], writing: Writing, engine: Duck, step: "Context[ConvertTables]"
) -> Iterator[Output]:
    if writing.format in TOGETHER:
        target = step.path("source" + SUFFIXES[writing.format])
        named = [(table.name or own_name(step.name), table) for table in tables]
        write_together(named, target, writing, engine, (0.6, 0.95))
        rows = sum(table.rows for table in tables)
        shown = rows_page(tables[0], "source", engine, named[0][0])
        yield Output(target, meta={"rows": rows, "tables": len(tables), "glance": shown.glance})
        yield Output(shown.path, role="preview", meta=shown.meta)
        return
    parts = unique([safe(table.name) for table in tables])
    for number, (table, part) in enumerate(zip(tables, parts, strict=True)):
        label = f"source-{part}" if len(tables) > 1 else "source"
        called = table.name or own_name(step.name)
        span = within((0.6, 0.95), number / len(tables), (number + 1) / len(tables))
        yield from hand_out(table, label, called, writing, engine, span)


def safe(table: str) -> str:
    """Return a table's name as a part of a file's name."""
    kept = "".join(letter if letter.isalnum() or letter in " -_." else "_" for letter in table)
    short = kept.strip(" .").encode()[:80].decode(errors="ignore")
    return short or "table"
