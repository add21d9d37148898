"""JSON and NDJSON into Parquet, and the lines that are no JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from uploads.errors import InputError
from uploads.operations.duck import LONGEST_LINE, Duck, QueryError, Span, text, within
from uploads.operations.tables_encoding import as_utf8
from uploads.operations.tables_given import Given, Reading, Table


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
    columns = tuple(duck.columns(f"read_parquet({text(target)})"))
    return [Table("", target, rows, columns, rejected, rejects)]


def _copy_json(duck: Duck, path: Path, target: Path, form: str, span: Span, more: str = "") -> int:
    source = (
        f"read_json({text(path)}, format = '{form}', maximum_object_size = {LONGEST_LINE}{more})"
    )
    made = "(FORMAT parquet, COMPRESSION zstd)"
    return int(duck.one(f"COPY (FROM {source}) TO {text(target)} {made}", span, "reading"))


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
