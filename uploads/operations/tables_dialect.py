"""How a text is written that holds a table: separator, quotation marks, names of its columns, what stands above it."""

import codecs
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from uploads.operations.duck import BUFFER_BYTES, LONGEST_LINE, Duck, QueryError, Row, text
from uploads.operations.tables_above import first_rows, lines_above
from uploads.operations.tables_given import Reading
from uploads.operations.tables_heading import names_times, titles_above
from uploads.operations.tables_types import TEXT, TextColumn

NOTHING = "(empty)"
LONG_LINES = (f"max_line_size = {LONGEST_LINE}", f"buffer_size = {BUFFER_BYTES}")
TOP_LINES = 12
TRIES = ("", ", ignore_errors = true", ", ignore_errors = true, strict_mode = false")


@dataclass(frozen=True)
class Dialect:
    """How a text is written, as options of DuckDB's reader, and the columns that it shows at first.

    `above` are the lines before its first row, empty where they are no part of the text.
    """

    options: tuple[str, ...]
    columns: tuple[TextColumn, ...]
    separator: str
    titled: bool
    above: tuple[str, ...]


def dialect_of(path: Path, media_type: str, duck: Duck, reading: Reading) -> Dialect:
    """Find the dialect: by all first rows if they agree, else by most of them.

    Raises `QueryError` for what is no table.
    """
    found: list[tuple[Dialect, str]] = []
    for more in TRIES:
        try:
            found.append((_look(path, media_type, duck, reading, more), more))
        except QueryError as error:
            failed = error
        if len(found) == 2:
            break
    if not found:
        raise failed
    best, more = max(found, key=lambda pair: len(pair[0].columns))
    if reading.header != "auto":
        return best
    top = first_rows(path, len(best.above), best.separator, TOP_LINES)
    if titles := titles_above(top):
        return _look(path, media_type, duck, reading, more, len(best.above) + titles)
    if not best.titled and len(top) > 1 and names_times(top[0], top[1]):
        return _look(path, media_type, duck, replace(reading, header="yes"), more)
    return best


def _look(
    path: Path, media_type: str, duck: Duck, reading: Reading, more: str, skip: int = 0
) -> Dialect:
    options = [*LONG_LINES]
    said = _said_separator(path)
    if said or skip:
        options.append(f"skip = {skip or 1}")
    if reading.separator or said:
        options.append(f"delim = {text(reading.separator or said)}")
    elif media_type == "text/tab-separated-values":
        options.append("delim = '\t'")
    if reading.header != "auto":
        options.append(f"header = {'true' if reading.header == 'yes' else 'false'}")
    row = _sniffed(path, duck, f"{', '.join(options)}{more}")
    if row[3] != NOTHING:
        with suppress(QueryError):  # rows may begin with the sign of a remark as well
            other = _sniffed(path, duck, ", ".join((*options, "comment = ''")))
            row = other if len(other[6]) >= len(row[6]) else row
    remark = "" if row[3] == NOTHING else row[3]
    above = lines_above(path, row[4], remark)
    strict = ("strict_mode = false",) if "strict_mode" in more else ()
    return Dialect(
        (*_options(row, len(above)), *strict),
        tuple(_columns(row)),
        row[0],
        bool(row[5]),
        ("", *above[1:]) if said else tuple(above),
    )


def _sniffed(path: Path, duck: Duck, options: str) -> Row:
    (row,) = duck.rows(
        "SELECT Delimiter, Quote, Escape, Comment, SkipRows, HasHeader, Columns, DateFormat, "
        f"TimestampFormat FROM sniff_csv({text(path)}, {options})"
    )
    return row


def _said_separator(path: Path) -> str:
    """Return the separator of a first line such as `sep=;`, by which Excel is told of it."""
    with path.open("rb") as file:
        line = file.read(16).removeprefix(codecs.BOM_UTF8)
    said = re.match(r'"?sep=([^\w\s"]|\t)"?\r?\n', line.decode("latin-1"), re.IGNORECASE)
    return said[1] if said else ""


def _options(row: Row, above: int) -> Sequence[str]:
    """Return what was found of a dialect as options of the reader; the table begins after some lines.

    Quotation marks count where the first rows had none: the later ones may. No sign begins a
    remark: DuckDB would also end a value at it.
    """
    separator, quote, escape, _, _, header = row[:6]
    quote = '"' if quote == NOTHING else quote
    escape = quote if escape == NOTHING else escape
    return (
        f"delim = {text(separator)}",
        f"quote = {text(quote)}",
        f"escape = {text(escape)}",
        "comment = ''",
        f"skip = {above}",
        f"header = {str(header).lower()}",
    )


def _columns(row: Row) -> Sequence[TextColumn]:
    """Return the columns that were found; whole numbers of more than 64 bits stay texts."""
    forms = {"DATE": row[7] or "", "TIMESTAMP": row[8] or ""}
    made = []
    for column in row[6]:
        kind = TEXT if column["type"] in {"HUGEINT", "UHUGEINT"} else column["type"]
        form = forms.get(kind, "")
        made.append(TextColumn(column["name"], kind, "" if form.startswith("%Y-%m-%d") else form))
    return made
