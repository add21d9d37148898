"""Which values a column of a text may hold without being changed; it knows no file and no dialect.

DuckDB decides a column's type by the first rows, and its casts round, cut or shift what
comes later (`3.7` becomes 4, `007` becomes 7). So columns are read as they are written, and
each value is cast with a look at whether it still says the same.

In the expressions here `c0`, `c1`, … are the columns as they are written, `v0`, `v1`, …
their typed values, NULL for what can't be cast.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from uploads.operations.duck import QueryError, name, text

# Up to here a float holds every whole number.
EXACT = 2**53
# An error of this text says that a column has values of another type than thought.
ODD = "a value of another type"

TEXT, FLOAT = "VARCHAR", "DOUBLE"
_WHOLE = r"\s*[+-]?(0|[1-9][0-9]*)\s*"
# No program writes a float so, but 12E3 is the number of many a part.
_CODE = r"\s*[0-9]+[eE][0-9]+\s*"
_NO_PLAIN_NUMBER = rf"\s*[+-]?0[0-9].*|.*_.*|{_CODE}"
_STAMP = r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?)?"
_WIDER = {"BIGINT": "DOUBLE", "DATE": "TIMESTAMP"}
_WORDS = {"%d": "day", "%m": "month", "%Y": "year", "%y": "year"}

# Whether the typed value says what is written, by the type; NULL or false where it does not.
_FITS = {
    "BIGINT": f"v IS NOT NULL AND regexp_full_match(c, {text(_WHOLE)})",
    "DOUBLE": f"CASE WHEN abs(v) < {EXACT} THEN NOT regexp_full_match(c, {text(_CODE)}) "
    f"ELSE v IS NOT NULL AND NOT regexp_full_match(c, {text(_WHOLE)}) END",
    "BOOLEAN": "lower(c) IN ('true', 'false')",
    "DATE": "isfinite(v) AND strlen(c) <= 10",
    "TIME": "v IS NOT NULL AND strlen(c) <= 15",
    "TIMESTAMP": "isfinite(v) AND CASE WHEN strlen(c) = 19 AND c[17] = ':' THEN true "
    f"ELSE regexp_full_match(c, {text(_STAMP)}) END",
}
# A test that nearly all values pass and that costs less.
_FITS_MOSTLY = {"BIGINT": "v::VARCHAR = c"}


@dataclass(frozen=True)
class TextColumn:
    """A column of a text: its type, and how its days or moments are written if not as in ISO 8601."""

    name: str
    kind: str
    form: str = ""

    @property
    def order(self) -> str:
        """Return the order of day, month and year for people; empty where there is no doubt."""
        return "/".join(_WORDS[mark] for mark in re.findall("%[dmYy]", self.form))

    def wider(self) -> "TextColumn":
        """Return the column as the next type that may hold its values."""
        return TextColumn(self.name, TEXT if self.form else _WIDER.get(self.kind, TEXT))

    def cast(self, written: str) -> str:
        """Return the expression of its typed value, NULL for what can't be cast."""
        if self.form:
            return f"TRY_CAST(try_strptime({written}, {text(self.form)}) AS {self.kind})"
        return f"TRY_CAST({written} AS {self.kind})"

    def fits(self, written: str, value: str) -> str:
        """Return the expression of whether the typed value says what is written; never NULL."""
        test = "v IS NOT NULL" if self.form else _FITS.get(self.kind, "v IS NOT NULL")
        return f"({written} IS NULL OR coalesce({_about(test, written, value)}, false))"

    def checked(self, written: str, value: str) -> str:
        """Return the expression of its typed value that fails with `ODD` for one that does not fit.

        Every case costs a tenth of reading the column. So floats have none: what is none fails
        as a conversion, and a whole number too long for one among them is rounded.
        """
        if self.kind == TEXT:
            return written
        if self.kind == "DOUBLE":
            return f"CAST({written} AS DOUBLE)"
        mostly = "" if self.form else _FITS_MOSTLY.get(self.kind, "")
        first = f"WHEN {_about(mostly, written, value)} THEN {value} " if mostly else ""
        rest = f"WHEN {self.fits(written, value)} THEN {value} ELSE error({text(ODD)})"
        return f"CASE {first}WHEN {written} IS NULL THEN NULL {rest} END"

    def fits_wider(self, written: str) -> str:
        """Return the expression of whether a value fits the wider type as well."""
        wider = self.wider()
        if wider.kind == TEXT:
            return "true"
        test = wider.fits(written, wider.cast(written))
        if wider.kind == "DOUBLE":
            odd = f"regexp_full_match({written}, {text(_NO_PLAIN_NUMBER)})"
            return f"({test} AND NOT coalesce({odd}, false))"
        return test


def _about(test: str, written: str, value: str) -> str:
    return re.sub(r"\b[cv]\b", lambda found: written if found[0] == "c" else value, test)


def is_odd(error: QueryError) -> bool:
    """Tell whether a value of another type than thought may be why a SELECT of `typed` fails."""
    return error.kind == "Conversion" or ODD in error.reason


def typed(columns: Sequence[TextColumn], source: str) -> str:
    """Return a SELECT of the columns with their types; it fails with `ODD`, or as a conversion."""
    shown = ", ".join(
        f"{column.checked(f'c{number}', f'v{number}')} AS {name(column.name)}"
        for number, column in enumerate(columns)
    )
    return f"SELECT {shown} FROM {_both(columns, source)}"


def survey(
    columns: Sequence[TextColumn], source: str, *, apart: bool, rows: int | None = None
) -> str:
    """Return the question which columns do not fit, in a row of two values for each.

    These are an example (NULL if all fit) and whether all fit the wider type. With `apart`
    only values count that a cast would change unseen: what can't be cast is put apart.
    """
    asked = []
    for number, column in enumerate(columns):
        written, value = f"c{number}", f"v{number}"
        odd, wider = f"NOT {column.fits(written, value)}", column.fits_wider(written)
        if apart:
            odd, wider = f"{value} IS NOT NULL AND {odd}", f"{value} IS NULL OR {wider}"
        asked.append(f"min(left({written}, 60)) FILTER ({odd}), bool_and({wider})")
    first = f"(FROM {source} LIMIT {rows})" if rows else source
    return f"SELECT {', '.join(asked)} FROM {_both(columns, first)}"


def _both(columns: Sequence[TextColumn], source: str) -> str:
    """Return a source with each column as it is written and as its typed value."""
    pairs = ", ".join(
        f"{name(column.name)} AS c{number}, {column.cast(name(column.name))} AS v{number}"
        for number, column in enumerate(columns)
    )
    return f"(SELECT {pairs} FROM {source})"
