"""Which values a column of a text may hold without being changed; it knows no file and no dialect.

DuckDB decides a column's type by the first rows, and its casts round, cut or shift what
comes later (`3.7` becomes 4, `007` becomes 7). So columns are read as they are written, and
each value is cast with a look at whether it still says the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from uploads.operations.duck import name, text

# Up to here a float holds every whole number.
EXACT = 2**53
# An error of this text says that a column has values of another type than thought.
ODD = "a value of another type"

TEXT = "VARCHAR"
_WHOLE = r"\s*[+-]?(0|[1-9][0-9]*)\s*"
_NO_PLAIN_NUMBER = r"\s*[+-]?0[0-9].*|.*_.*"
_STAMP = r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?)?"
_WIDER = {"BIGINT": "DOUBLE", "DATE": "TIMESTAMP"}
_WORDS = {"%d": "day", "%m": "month", "%Y": "year", "%y": "year"}


@dataclass(frozen=True)
class TextColumn:
    """A column of a text: its type, and how its days or moments are written if not as in ISO 8601."""

    name: str
    kind: str
    form: str = ""

    @property
    def value(self) -> str:
        """Return the expression of its typed value; NULL for what can't be cast."""
        if self.form:
            return f"TRY_CAST(try_strptime({name(self.name)}, {text(self.form)}) AS {self.kind})"
        return f"TRY_CAST({name(self.name)} AS {self.kind})"

    @property
    def fits(self) -> str:
        """Return the expression of whether the typed value says what is written; never NULL."""
        written, value = name(self.name), self.value
        unchanged = {
            "BIGINT": f"CASE WHEN {value}::VARCHAR = {written} THEN true "
            f"ELSE {value} IS NOT NULL AND regexp_full_match({written}, {text(_WHOLE)}) END",
            "DOUBLE": f"CASE WHEN abs({value}) < {EXACT} THEN true ELSE {value} IS NOT NULL "
            f"AND NOT regexp_full_match({written}, {text(_WHOLE)}) END",
            "BOOLEAN": f"lower({written}) IN ('true', 'false')",
            "DATE": f"isfinite({value}) AND strlen({written}) <= 10",
            "TIME": f"{value} IS NOT NULL AND strlen({written}) <= 15",
            "TIMESTAMP": f"isfinite({value}) AND CASE WHEN strlen({written}) = 19 "
            f"AND {written}[17] = ':' THEN true "
            f"ELSE regexp_full_match({written}, {text(_STAMP)}) END",
        }
        test = unchanged.get(self.kind, f"{value} IS NOT NULL")
        if self.form:
            test = f"{value} IS NOT NULL"
        return f"({written} IS NULL OR coalesce({test}, false))"

    @property
    def checked(self) -> str:
        """Return the expression of its typed value that fails with `ODD` for one that does not fit."""
        if self.kind == TEXT:
            return name(self.name)
        test = f"CASE WHEN {self.fits} THEN {self.value} ELSE error({text(ODD)}) END"
        return f"{test} AS {name(self.name)}"

    @property
    def order(self) -> str:
        """Return the order of day, month and year for people; empty where there is no doubt."""
        return "/".join(_WORDS[mark] for mark in re.findall("%[dmYy]", self.form))

    def wider(self) -> "TextColumn":
        """Return the column as the next type that may hold its values."""
        return TextColumn(self.name, TEXT if self.form else _WIDER.get(self.kind, TEXT))

    def fits_wider(self) -> str:
        """Return the expression of whether a value fits the wider type as well."""
        wider = self.wider()
        if wider.kind == "DOUBLE":
            numbered = f"regexp_full_match({name(self.name)}, {text(_NO_PLAIN_NUMBER)})"
            return f"({wider.fits} AND NOT coalesce({numbered}, false))"
        return "true" if wider.kind == TEXT else wider.fits


def survey(
    columns: Sequence[TextColumn], source: str, *, apart: bool, rows: int | None = None
) -> str:
    """Return the question which columns do not fit, in a row of two values for each.

    These are an example (NULL if all fit) and whether all fit the wider type. With `apart`
    only values count that a cast would change unseen: what can't be cast is put apart.
    """
    asked = []
    for column in columns:
        odd, wider = f"NOT {column.fits}", column.fits_wider()
        if apart:
            odd, wider = (
                f"{column.value} IS NOT NULL AND {odd}",
                f"{column.value} IS NULL OR {wider}",
            )
        asked.append(f"min(left({name(column.name)}, 60)) FILTER ({odd}), bool_and({wider})")
    first = f" LIMIT {rows}" if rows else ""
    return f"SELECT {', '.join(asked)} FROM (FROM {source}{first})"
