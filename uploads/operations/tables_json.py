"""JSON and NDJSON into Parquet, and the lines that are no JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from uploads.errors import InputError
from uploads.operations.duck import LONGEST_LINE, Duck, QueryError, Span, name, text, within
from uploads.operations.tables_encoding import as_utf8
from uploads.operations.tables_given import Given, Reading, Table

# The smallest whole number that DuckDB reads as a float, which rounds it.
TOO_WIDE = 2.0**64
FIRST_ROWS = 1000


def read_json(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    """Return the one table of a JSON array or of lines of JSON as Parquet."""
    path = as_utf8(given, duck, within(span, 0, 0.2))
    target = duck.path(f"{given.label}.parquet")
    lines = given.media_type == "application/x-ndjson"
    rejected, rejects = 0, None
    form = "newline_delimited" if lines else "auto"
    span = within(span, 0.2 if path != given.path else 0, 1)
    try:
        rows = _copy_json(duck, path, target, form, within(span, 0, 0.5))
    except QueryError:
        if lines:
            path, rejected, rejects = _without_bad_lines(given, path, duck, within(span, 0.3, 0.6))
        # Types that the first rows did not show: now every row is looked at first.
        more = ", sample_size = -1"
        rows = _copy_json(duck, path, target, form, within(span, 0.6, 1), more)
    kept = _kept_as_text(duck, path, target, form)
    columns = tuple(duck.columns(f"read_parquet({text(target)})"))
    return [Table("", target, rows, columns, rejected, rejects, kept)]


def _copy_json(duck: Duck, path: Path, target: Path, form: str, span: Span, more: str = "") -> int:
    made = "(FORMAT parquet, COMPRESSION zstd)"
    sql = f"COPY (FROM {_reader(path, form, more)}) TO {text(target)} {made}"
    return int(duck.one(sql, span, "reading"))


def _reader(path: Path, form: str, more: str) -> str:
    # Whether 01-02-2024 is in January or February nobody knows: such dates stay texts.
    options = f"format = '{form}', maximum_object_size = {LONGEST_LINE}, dateformat = 'iso'"
    return f"read_json({text(path)}, {options}{more})"


def _kept_as_text(duck: Duck, path: Path, target: Path, form: str) -> tuple[str, ...]:
    """Write columns again as texts whose values DuckDB changed to read them; returns what to say."""
    kinds = dict(duck.columns(f"read_parquet({text(target)})"))
    large = _large(duck, target, [column for column, kind in kinds.items() if kind == "DOUBLE"])
    times = [column for column, kind in kinds.items() if kind == "TIMESTAMP"]
    if not large and not times:
        return ()
    raw = dict.fromkeys([*large, *times], "JSON")
    named = ", ".join(f"{text(c)}: {text(kind)}" for c, kind in (kinds | raw).items())
    source = _reader(path, form, f", columns = {{{named}}}")
    wide = _all(duck, source, large, "-?[0-9]+")
    plain = _all(duck, f"(FROM {source} LIMIT {FIRST_ROWS})", times, "[0-9]{4}-.*")
    odd = [column for column in times if column not in plain]
    if wide or odd:
        changed = ", ".join(
            f"({name(c)}->>'$')::{'VARCHAR' if c in {*wide, *odd} else kinds[c]} AS {name(c)}"
            for c in raw
        )
        made = "(FORMAT parquet, COMPRESSION zstd)"
        duck.rows(f"COPY (SELECT * REPLACE ({changed}) FROM {source}) TO {text(target)} {made}")
    said = [f"“{c}” is text: its whole numbers have more than 64 bits." for c in wide]
    return (*said, *(f"“{c}” is text: its times do not begin with the year." for c in odd))


def _large(duck: Duck, target: Path, floats: list[str]) -> list[str]:
    """Return the columns of floats that may have been whole numbers of more than 64 bits."""
    if not floats:
        return []
    large = (
        f"coalesce(max(abs({name(c)})) >= {TOO_WIDE} AND bool_and({name(c)} = trunc({name(c)})), false)"
        for c in floats
    )
    (found,) = duck.rows(f"SELECT {', '.join(large)} FROM read_parquet({text(target)})")
    return [column for column, is_large in zip(floats, found, strict=True) if is_large]


def _all(duck: Duck, source: str, columns: list[str], pattern: str) -> list[str]:
    """Return those columns, read as JSON, of which every value is written like the pattern."""
    if not columns:
        return []
    alike = (
        f"coalesce(bool_and(regexp_full_match({name(c)}->>'$', {text(pattern)})), true)"
        for c in columns
    )
    (found,) = duck.rows(f"SELECT {', '.join(alike)} FROM {source}")
    return [column for column, all_alike in zip(columns, found, strict=True) if all_alike]


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


def _fault(line: bytes) -> str:
    if not line.strip():
        return ""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return "this is no JSON"
    return "" if isinstance(found, dict) else "this is no object"
