"""CSV, TSV, JSON and NDJSON into Parquet: encoding, dialect, types, and rows that do not fit."""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uploads.errors import InputError
from uploads.operations.duck import BUFFER_BYTES, LONGEST_LINE, Duck, QueryError, Span, text, within
from uploads.operations.tables_given import Given, Reading, Table

PIECE_BYTES = 1024**2
LOOKS = 24
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
TRIES = 4
REASONS = {
    "TOO MANY COLUMNS": "too many values",
    "MISSING COLUMNS": "too few values",
    "UNQUOTED VALUE": "a quotation mark within a value",
    "INVALID ENCODING": "letters in an unknown encoding",
    "INVALID STATE": "quotation marks that do not fit",
    "LINE SIZE OVER MAXIMUM": "the line is too long",
}


# --- encoding ----------------------------------------------------------------------


def encoding_of(path: Path) -> str:
    """Return `utf-8`, `utf-16`, `utf-32` or `cp1252`: by the first bytes, else by some looks."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        for bom, encoding in BOMS:
            if head.startswith(bom):
                return encoding
        for look in range(LOOKS):
            file.seek(size * look // LOOKS)
            if not _is_utf8(file.read(PIECE_BYTES // 4), whole=look == 0):
                return "cp1252"
    return "utf-8"


def _is_utf8(piece: bytes, *, whole: bool) -> bool:
    """Tell whether a piece cut out of a file can be UTF-8; letters cut in two do not count."""
    if not whole:
        piece = piece.lstrip(bytes(range(0x80, 0xC0)))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(piece)
    except UnicodeDecodeError:
        return False
    return True


def _marked_json(given: Given) -> bool:
    """Tell whether JSON begins with a mark of its encoding, which its reader takes for a value."""
    with given.path.open("rb") as file:
        return given.media_type == "application/json" and file.read(3) == codecs.BOM_UTF8


def as_utf8(given: Given, duck: Duck, span: Span) -> Path:
    """Return the file, or a copy of it in UTF-8; a letter that is none becomes �."""
    encoding = encoding_of(given.path)
    with given.path.open("rb") as file:
        if encoding in {"utf-8", "cp1252"} and b"\0" in file.read(PIECE_BYTES):
            raise InputError("not_a_table", name=given.name, reason="it is no text.")
    if encoding == "utf-8" and not _marked_json(given):
        return given.path
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    duck.step.log(f"{given.name} is written in {encoding.upper()}.")
    target = duck.path(f"{given.label}.utf8")
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    size, done = given.path.stat().st_size, 0
    with given.path.open("rb") as file, target.open("w", encoding="utf-8", newline="") as made:
        while piece := file.read(PIECE_BYTES):
            made.write(decoder.decode(piece))
            done += len(piece)
            duck.report(span[0] + (span[1] - span[0]) * done / size, "reading")
        made.write(decoder.decode(b"", final=True))
    return target


# --- CSV ---------------------------------------------------------------------------


def read_csv(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    """Return the one table of a CSV or TSV file as Parquet."""
    path = as_utf8(given, duck, within(span, 0, 0.2))
    text_file = TextFile(given, path, duck, reading)
    rows = text_file.convert(within(span, 0 if path == given.path else 0.2, 1))
    if path != given.path:
        path.unlink()
    made = text_file.target
    columns = tuple(duck.columns(f"read_parquet({text(made)})"))
    rejected, rejects = text_file.hand_out()
    return [Table("", made, rows, columns, rejected, rejects, tuple(text_file.notes))]


@dataclass
class TextFile:
    """One CSV file on its way to Parquet; what does not fit a column's type makes it text."""

    given: Given
    path: Path
    duck: Duck
    reading: Reading
    texts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tries: int = 0
    tolerant: bool = False

    @property
    def target(self) -> Path:
        return self.duck.path(f"{self.given.label}.parquet")

    @property
    def _errors(self) -> str:
        plain = (c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in self.given.label)
        return f"rejects_{''.join(plain)}_{self.tries}"

    def source(self) -> str:
        """Return the expression that reads the file as it is known so far."""
        most = self.duck.step.limits.table_max_rejects
        options = [
            "store_rejects = true",
            f"rejects_table = {text(self._errors)}",
            f"rejects_scan = {text(self._errors + '_scan')}",
            f"rejects_limit = {most + 1}",
            f"max_line_size = {LONGEST_LINE}",
            f"buffer_size = {BUFFER_BYTES}",
        ]
        if self.reading.keep_odd:
            # All rows are looked at before types and quotes are decided: a cast that rounds
            # or cuts a late value would not fail, and nobody would hear of it.
            options.append("sample_size = -1")
        if self.reading.separator:
            options.append(f"delim = {text(self.reading.separator)}")
        elif self.given.media_type == "text/tab-separated-values":
            options.append("delim = '\t'")
        if self.reading.header != "auto":
            options.append(f"header = {'true' if self.reading.header == 'yes' else 'false'}")
        if self.tolerant:
            options += ["strict_mode = false", "quote = '\"'", "escape = '\"'"]
        if self.tries == TRIES - 1 and self.texts:
            options.append("all_varchar = true")
        elif self.texts:
            types = ", ".join(f"{text(column)}: 'VARCHAR'" for column in self.texts)
            options.append(f"types = {{{types}}}")
        return f"read_csv({text(self.path)}, {', '.join(options)})"

    def convert(self, span: Span) -> int:
        """Write the Parquet file and return its number of rows."""
        rows = 0
        for _ in range(TRIES):
            rows = self._copy(span)
            if not self.learn():
                break
            self.tries += 1
        return rows

    def _copy(self, span: Span) -> int:
        target = text(self.target)
        try:
            form = f"(FORMAT parquet, COMPRESSION {self.reading.packing})"
            sql = f"COPY (FROM {self.source()}) TO {target} {form}"
            return int(self.duck.one(sql, span, "reading"))
        except QueryError as error:
            if self.tolerant or "sniff" not in error.reason:
                raise
            self.tolerant = True
            self.tries += 1
            return self._copy(span)

    def _was_read(self) -> bool:
        """Tell whether a query has read the file; before that there is no list of its errors."""
        found = f"SELECT count(*) FROM duckdb_tables() WHERE table_name = {text(self._errors)}"
        return bool(self.duck.one(found))

    def learn(self) -> bool:
        """Note the columns with values of another type than the first rows have; True for new ones."""
        if not self.reading.keep_odd or self.tries == TRIES - 1 or not self._was_read():
            return False
        new = False
        odd = self.duck.rows(
            "SELECT column_name, min(line), arg_min(error_message, line) "
            f"FROM {self._errors} WHERE error_type = 'CAST' AND line NOT IN "
            f"(SELECT line FROM {self._errors} WHERE error_type <> 'CAST') GROUP BY ALL ORDER BY 2, 1"
        )
        for column, line, said in odd:
            if column in self.texts:
                continue
            value = said.partition('string "')[2].partition('" to')[0] or "something else"
            self.notes.append(
                f"“{column}” is text: line {line:,} of {self.given.name} has “{value[:60]}”."
            )
            self.texts.append(column)
            new = True
        return new

    def hand_out(self) -> tuple[int, Path | None]:
        """Return how many rows were not read, and a CSV of them; too many are an `InputError`."""
        if not self._was_read():
            return 0, None
        count = int(self.duck.one(f"SELECT count(DISTINCT line) FROM {self._errors}"))
        most = self.duck.step.limits.table_max_rejects
        if count > most:
            reason = f"more than {most:,} of its rows do not fit."
            raise InputError("table_damaged", name=self.given.name, reason=reason)
        if not count:
            return 0, None
        target = self.duck.path(f"{self.given.label}-rejected.csv")
        reasons = " ".join(
            f"WHEN {text(kind)} THEN {text(words)}" for kind, words in REASONS.items()
        )
        self.duck.rows(
            f"COPY (SELECT line, string_agg(DISTINCT CASE error_type {reasons} WHEN 'CAST' THEN "
            "'a value of another type in ' || coalesce(column_name, '') "
            "ELSE lower(error_type) END, '; ' ORDER BY 1) AS reason, "
            'any_value(left(csv_line, 10000)) AS "text" '
            f"FROM {self._errors} GROUP BY line ORDER BY line) TO {text(target)} (HEADER)"
        )
        return count, target


# --- JSON --------------------------------------------------------------------------


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
