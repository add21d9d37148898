"""JSON and NDJSON into Parquet, and the lines that are no JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from uploads.errors import InputError
from uploads.operations.duck import LONGEST_LINE, Duck, QueryError, Span, name, text, within
from uploads.operations.tables_encoding import as_utf8
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_json_types import Columns, Objects, true_of


def read_json(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    """Return the one table of a JSON array or of lines of JSON as Parquet."""
    path = as_utf8(given, duck, within(span, 0, 0.2))
    target = duck.path(f"{given.label}.parquet")
    lines = given.media_type == "application/x-ndjson"
    rejected, rejects = 0, None
    span = within(span, 0.2 if path != given.path else 0, 1)
    try:
        rows, notes = _written(Objects(path, lines), target, duck, within(span, 0, 0.5))
    except QueryError:
        if not lines:
            raise
        path, rejected, rejects = _without_bad_lines(given, path, duck, within(span, 0.3, 0.6))
        rows, notes = _written(Objects(path, lines), target, duck, within(span, 0.6, 1))
    columns = tuple(duck.columns(f"read_parquet({text(target)})"))
    return [Table("", target, rows, columns, rejected, rejects, notes)]


def _written(objects: Objects, target: Path, duck: Duck, span: Span) -> tuple[int, tuple[str, ...]]:
    """Write the rows as Parquet; returns how many there are, and what to tell of their columns.

    The types are those of the first rows. DuckDB would round a later number that does not fit,
    and cut a later time: where there is one, all rows are looked at first, which takes it four
    times as long as the rest.
    """
    try:
        made = Columns.of_first_rows(objects, duck)
        rows = _copied(made.source, target, duck, within(span, 0, 0.3))
        fit = made.fit(duck, within(span, 0.3, 0.5))
    except QueryError:
        fit = False
    if not fit:
        duck.report(span[0], "looking at every row")
        made = Columns.of_all_rows(objects, duck)
        rows = _copied(made.source, target, duck, within(span, 0.5, 0.7))
    if long := made.long_numbers(target, duck):
        kinds = made.kinds | dict.fromkeys(long, "JSON")
        rows = _copied(objects.source(kinds), target, duck, within(span, 0.7, 0.9))
    notes = [f"“{column}” is text: its times do not begin with the year." for column in made.odd]
    return rows, (*notes, *_plain_texts(target, duck, within(span, 0.9, 1)))


def _copied(source: str, target: Path, duck: Duck, span: Span) -> int:
    made = "(FORMAT parquet, COMPRESSION zstd)"
    return int(duck.one(f"COPY (FROM {source}) TO {text(target)} {made}", span, "reading"))


def _plain_texts(target: Path, duck: Duck, span: Span) -> tuple[str, ...]:
    """Let columns of plain values of several types be texts; says which ones are."""
    source = f"read_parquet({text(target)})"
    mixed = [column for column, kind in duck.columns(source) if kind == "JSON"]
    if not mixed:
        return ()
    nested = {c: f"bool_or(json_type({name(c)}) IN ('OBJECT', 'ARRAY'))" for c in mixed}
    plain = [column for column in mixed if column not in true_of(nested, source, duck)]
    if not plain:
        return ()
    texts = ", ".join(f"{name(column)} ->> '$' AS {name(column)}" for column in plain)
    other = target.with_suffix(".plain")
    _copied(f"(SELECT * REPLACE ({texts}) FROM {source})", other, duck, span)
    other.replace(target)
    filled = true_of({column: f"count({name(column)}) > 0" for column in plain}, source, duck)
    words = "is text: its values are of several types, or long numbers"
    return tuple(f"“{column}” {words}." for column in filled)


def _without_bad_lines(
    given: Given, path: Path, duck: Duck, span: Span
) -> tuple[Path, int, Path | None]:
    """Copy the lines that are JSON, and list the others."""
    good, bad = duck.path(f"{given.label}.good"), duck.path(f"{given.label}-rejected.csv")
    count, done, size = 0, 0, path.stat().st_size
    most = duck.step.limits.table_max_rejects
    with path.open("rb") as file, good.open("wb") as kept, bad.open("w", newline="") as listed:
        listed.write("line,reason,text\n")
        for number, line in enumerate(_lines(file), start=1):
            done += len(line)
            if number % 1000 == 1:
                duck.report(span[0] + (span[1] - span[0]) * done / size, "looking for bad lines")
            reason = _fault(line)
            if not reason:
                kept.write(line)
                continue
            count += 1
            shown = line[:10000].decode(errors="replace").strip().replace('"', '""')
            listed.write(f'{number},{reason},"{shown}"\n')
            if count > most:
                reason = f"more than {most:,} of its lines are no JSON."
                raise InputError("table_damaged", name=given.name, reason=reason)
    return good, count, bad if count else None


def _lines(file: Any) -> Iterator[bytes]:
    return iter(lambda: file.readline(LONGEST_LINE), b"")


class TwiceError(ValueError):
    """An object has a name twice, so that nobody knows what it says."""


def _fault(line: bytes) -> str:
    if not line.strip():
        return ""
    try:
        found = json.loads(line, object_pairs_hook=_once)
        if b"\\u" in line:  # half a letter can't be written as UTF-8
            json.dumps(found, ensure_ascii=False).encode()
    except TwiceError:
        return "a name is there twice"
    except UnicodeEncodeError:
        return "half a letter is in it"
    except (ValueError, RecursionError):
        return "this is no JSON"
    return "" if isinstance(found, dict) else "this is no object"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise TwiceError
    return made
