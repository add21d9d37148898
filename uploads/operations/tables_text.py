"""CSV and TSV into Parquet: types, and rows that do not fit."""

from dataclasses import dataclass, field
from pathlib import Path

from uploads.errors import InputError
from uploads.operations.duck import Duck, QueryError, Span, text, within
from uploads.operations.tables_above import like_rows, note_on
from uploads.operations.tables_dialect import LONG_LINES, dialect_of
from uploads.operations.tables_encoding import as_utf8
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_types import FLOAT, TEXT, TextColumn, is_odd, survey, typed

FIRST_ROWS = 20_000
REASONS = {
    "TOO MANY COLUMNS": "too many values",
    "MISSING COLUMNS": "too few values",
    "UNQUOTED VALUE": "a quotation mark within a value",
    "INVALID ENCODING": "letters in an unknown encoding",
    "INVALID STATE": "quotation marks that do not fit",
    "LINE SIZE OVER MAXIMUM": "the line is too long",
}


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
    """One CSV file on its way to Parquet.

    Types are those of the first rows; a column with other values is given a wider type as soon
    as one of them is met. Raises `QueryError` for what is no table.

    Floats are read as such at once, which is a tenth faster than as texts to be cast: DuckDB puts
    a row apart where that fails, so whoever has read the rows asks `misread`.
    """

    given: Given
    path: Path
    duck: Duck
    reading: Reading
    notes: list[str] = field(default_factory=list)
    _tries: int = 0
    _surveyed: bool = False
    _floats_at_once: bool = True

    def __post_init__(self) -> None:
        self._dialect = dialect_of(self.path, self.given.media_type, self.duck, self.reading)
        self._columns = [
            TextColumn(column.name, TEXT) if self.reading.as_written(column.name) else column
            for column in self._dialect.columns
        ]
        self._widen(self._odd_ones(FIRST_ROWS))
        for column in self._columns:
            if column.order:
                self.notes.append(f"“{column.name}” is read as {column.order}.")
        self.notes += filter(None, [note_on(self._dialect.above)])
        self._above = like_rows(self._dialect.above, self._dialect.separator)

    @property
    def target(self) -> Path:
        return self.duck.path(f"{self.given.label}.parquet")

    # --- reading ---

    def source(self) -> str:
        """Return a SELECT of all its rows with the types that are known now."""
        if not self.reading.keep_odd:
            return f"SELECT * FROM {self._read({c.name: c.kind for c in self._columns})}"
        floats = {c.name: c.kind for c in self._columns if c.kind == FLOAT}
        return typed(self._columns, self._read(floats if self._floats_at_once else {}))

    def misread(self) -> bool:
        """Tell whether rows are missing for want of a float; from then on texts are cast."""
        if not (self._floats_at_once and self.reading.keep_odd and self._was_read()):
            return False
        sql = f"SELECT count(*) FROM {self._errors} WHERE error_type = 'CAST'"
        self._floats_at_once = not self.duck.one(sql)
        return not self._floats_at_once

    def _read(self, kinds: dict[str, str]) -> str:
        """Return the expression that reads the rows, as texts unless there are types for them."""
        self._tries += 1
        named = ", ".join(f"{text(c.name)}: {text(kinds.get(c.name, TEXT))}" for c in self._columns)
        forms = {c.kind: c.form for c in self._columns if c.form and kinds}
        options = [
            *self._dialect.options,
            "auto_detect = false",
            f"columns = {{{named}}}",
            *(f"{kind.lower()}format = {text(form)}" for kind, form in forms.items()),
            "store_rejects = true",
            f"rejects_table = {text(self._errors)}",
            f"rejects_scan = {text(self._errors + '_scan')}",
            f"rejects_limit = {self.duck.step.limits.table_max_rejects + 1}",
            *LONG_LINES,
        ]
        return f"read_csv({text(self.path)}, {', '.join(options)})"

    def convert(self, span: Span) -> int:
        """Write the Parquet file and return its number of rows."""
        if not self.reading.keep_odd:
            self.learn()
        form = f"(FORMAT parquet, COMPRESSION {self.reading.packing})"
        while True:
            try:
                sql = f"COPY ({self.source()}) TO {text(self.target)} {form}"
                rows = int(self.duck.one(sql, span, "reading"))
                if not self.misread():
                    return rows
            except QueryError as error:
                if not is_odd(error) or not self.learn():
                    raise

    def learn(self) -> bool:
        """Look at all rows, and widen the columns whose values do not fit; True the first time."""
        if self._surveyed:
            return False
        self._surveyed = True
        self._widen(self._odd_ones(None))
        return True

    def _odd_ones(self, rows: int | None) -> dict[str, tuple[TextColumn, str]]:
        """Return what the odd columns have to be, each with an example, of the first rows or all."""
        known = [column for column in self._columns if column.kind != TEXT]
        if not known:
            return {}
        # Where rows with odd values are wanted apart, the first rows decide what is odd.
        apart = rows is None and not self.reading.keep_odd
        (found,) = self.duck.rows(survey(known, self._read({}), apart=apart, rows=rows))
        odd = {}
        for column, number in zip(known, range(0, len(found), 2), strict=True):
            example, wider = found[number : number + 2]
            if example is not None:
                made = column.wider() if wider else TextColumn(column.name, TEXT)
                odd[column.name] = (made, example)
        return odd

    def _widen(self, odd: dict[str, tuple[TextColumn, str]]) -> None:
        for number, column in enumerate(self._columns):
            made, example = odd.get(column.name, (column, ""))
            self._columns[number] = made
            if column.kind != TEXT and made.kind == TEXT and self._surveyed:
                self.notes.append(
                    f"“{column.name}” is text: {self.given.name} has “{example}” in it."
                )

    # --- what does not fit ---

    @property
    def _errors(self) -> str:
        plain = (c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in self.given.label)
        return f"rejects_{''.join(plain)}_{self._tries}"

    def _was_read(self) -> bool:
        """Tell whether a query has read the file; before that there is no list of its errors."""
        found = f"SELECT count(*) FROM duckdb_tables() WHERE table_name = {text(self._errors)}"
        return bool(self.duck.one(found))

    def hand_out(self) -> tuple[int, Path | None]:
        """Return how many rows were not read, and a CSV of them; too many are an `InputError`."""
        if not self._was_read():
            return 0, None
        count = int(self.duck.one(f"SELECT count(DISTINCT line) FROM {self._errors}"))
        count += len(self._above)
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
            f"FROM {self._errors} GROUP BY line {self._listed_above()} ORDER BY line) "
            f"TO {text(target)} (HEADER)"
        )
        return count, target

    def _listed_above(self) -> str:
        """Return the lines above the table that look like rows as a further part of a SELECT."""
        reason = text("above the table")
        rows = ", ".join(f"({line}, {reason}, {text(shown)})" for line, shown in self._above)
        return f"UNION ALL VALUES {rows}" if rows else ""
