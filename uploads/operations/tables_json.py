"""JSON and NDJSON into Parquet, and the lines that are no JSON."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uploads.errors import InputError
from uploads.operations.duck import LONGEST_LINE, Duck, QueryError, Span, name, text, within
from uploads.operations.tables_encoding import as_utf8
from uploads.operations.tables_given import Given, Reading, Table

# Up to here a float holds every whole number.
EXACT = 2**53
FIRST_TIMES = 1000
# Types that would change what is written: small letters for capitals, floats in Parquet.
AS_WRITTEN = {"UUID": "VARCHAR", "HUGEINT": "DECIMAL(38, 0)"}


def read_json(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    """Return the one table of a JSON array or of lines of JSON as Parquet.

    Every row is looked at before the types are decided: DuckDB would round what comes later.
    """
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


@dataclass(frozen=True)
class Objects:
    """A file of JSON: one array, or an object a line."""

    path: Path
    lines: bool

    def source(self, kinds: Mapping[str, str]) -> str:
        """Return the expression that reads it, with these types of its columns or those it finds."""
        form = "newline_delimited" if self.lines else "auto"
        listed = ", ".join(f"{text(column)}: {text(kind)}" for column, kind in kinds.items())
        types = f"columns = {{{listed}}}" if listed else "sample_size = -1"
        # Whether 01-02-2024 is in January or February nobody knows: such days stay texts.
        return (
            f"read_json({text(self.path)}, format = '{form}', dateformat = 'iso', "
            f"maximum_object_size = {LONGEST_LINE}, {types})"
        )


def _written(objects: Objects, target: Path, duck: Duck, span: Span) -> tuple[int, tuple[str, ...]]:
    """Write the rows as Parquet; returns how many there are, and what to tell of their columns."""
    found = dict(duck.columns(objects.source({})))
    kinds = {column: AS_WRITTEN.get(kind, kind) for column, kind in found.items()}
    kinds = kinds if _are_keys(found) else {}
    odd = _odd_times(objects, kinds, duck)
    kinds |= dict.fromkeys(odd, "VARCHAR")
    rows = _copied(objects.source(kinds), target, duck, within(span, 0.5, 0.9))
    if long := _long_numbers(objects, kinds, target, duck):
        kinds |= dict.fromkeys(long, "JSON")
        rows = _copied(objects.source(kinds), target, duck, within(span, 0.5, 0.9))
    notes = [f"“{column}” is text: its times do not begin with the year." for column in odd]
    return rows, (*notes, *_plain_texts(target, duck, within(span, 0.9, 1)))


def _copied(source: str, target: Path, duck: Duck, span: Span) -> int:
    made = "(FORMAT parquet, COMPRESSION zstd)"
    return int(duck.one(f"COPY (FROM {source}) TO {text(target)} {made}", span, "reading"))


def _are_keys(found: Mapping[str, str]) -> bool:
    """Tell whether columns are called as the keys are: DuckDB adds numbers where capitals differ."""
    known = {column.casefold() for column in found}
    again = (re.fullmatch(r"(.*)_[0-9]+", column.casefold(), re.S) for column in found)
    return list(found) != ["json"] and not any(made and made[1] in known for made in again)


def _odd_times(objects: Objects, kinds: Mapping[str, str], duck: Duck) -> list[str]:
    """Return the columns of times that do not begin with the year, so that nobody knows the month."""
    odd = []
    for column in (column for column, kind in kinds.items() if kind == "TIMESTAMP"):
        raw = objects.source({column: "VARCHAR"})
        first = f"(SELECT {name(column)} FROM {raw} WHERE {name(column)} IS NOT NULL LIMIT {FIRST_TIMES})"
        asked = {column: f"NOT bool_and(regexp_full_match({name(column)}, '[0-9]{{4}}-.*'))"}
        odd += _true_of(asked, first, duck)
    return odd


def _long_numbers(
    objects: Objects, kinds: Mapping[str, str], target: Path, duck: Duck
) -> list[str]:
    """Return the columns of floats with whole numbers of which a float does not hold every one."""
    floats = [column for column, kind in kinds.items() if kind == "DOUBLE"]
    large = _true_of(
        {column: f"max(abs({name(column)})) >= {EXACT}" for column in floats},
        f"read_parquet({text(target)})",
        duck,
    )
    long = f"'-?[0-9]{{{len(str(EXACT))},}}'"
    return _true_of(
        {
            column: f"bool_or(regexp_full_match({name(column)}::VARCHAR, {long}))"
            for column in large
        },
        objects.source(dict.fromkeys(large, "JSON")),
        duck,
    )


def _true_of(asked: Mapping[str, str], source: str, duck: Duck) -> list[str]:
    """Return the columns of which is true what is asked."""
    if not asked:
        return []
    (found,) = duck.rows(f"SELECT {', '.join(asked.values())} FROM {source}")
    return [column for column, true in zip(asked, found, strict=True) if true]


def _plain_texts(target: Path, duck: Duck, span: Span) -> tuple[str, ...]:
    """Let columns of plain values of several types be texts; says which ones are."""
    source = f"read_parquet({text(target)})"
    mixed = [column for column, kind in duck.columns(source) if kind == "JSON"]
    if not mixed:
        return ()
    nested = {c: f"bool_or(json_type({name(c)}) IN ('OBJECT', 'ARRAY'))" for c in mixed}
    plain = [column for column in mixed if column not in _true_of(nested, source, duck)]
    if not plain:
        return ()
    texts = ", ".join(f"{name(column)} ->> '$' AS {name(column)}" for column in plain)
    other = target.with_suffix(".plain")
    _copied(f"(SELECT * REPLACE ({texts}) FROM {source})", other, duck, span)
    other.replace(target)
    filled = _true_of({column: f"count({name(column)}) > 0" for column in plain}, source, duck)
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
