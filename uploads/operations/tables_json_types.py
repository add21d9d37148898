"""Types of the columns of JSON: found in its first rows, and whether all rows fit them as they are."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uploads.operations.duck import LONGEST_LINE, Duck, Span, name, text

# Up to here a float holds every whole number.
EXACT = 2**53
FIRST_ROWS, FIRST_TIMES = 20_000, 1000
MOST_SHAPES = 2000
# Types that would change what is written: small letters for capitals, floats in Parquet.
AS_WRITTEN = {"UUID": "VARCHAR", "HUGEINT": "DECIMAL(38, 0)"}
# Within objects and lists times and identifiers stay texts: nobody could say which rows fit.
WITHIN = re.compile(
    r"(?:^|(?<=[ (]))(?:TIMESTAMP WITH TIME ZONE|TIMESTAMP|DATE|TIME|UUID)(?=[,)\[]|$)"
)
# Types of which a value may be changed to fit; a field of that name does no harm.
NUMBERS = re.compile(r"\b(?:U?BIGINT|HUGEINT|DOUBLE|BOOLEAN)\b")
WHOLE, NUMBER = ("BIGINT", "UBIGINT"), ("BIGINT", "UBIGINT", "DOUBLE")
# What a value of a type is written like; others would be changed to fit.
KINDS = {"BIGINT": WHOLE, "UBIGINT": WHOLE, "DOUBLE": NUMBER, "BOOLEAN": ("BOOLEAN",)}
FORMS = {
    "DECIMAL(38, 0)": "-?[0-9]+",
    "DATE": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "TIME": "[0-9]{1,2}:[0-9:.]+",
    "TIMESTAMP": "[0-9]{4}-.*",
    "TIMESTAMP WITH TIME ZONE": "[0-9]{4}-.*",
}


@dataclass(frozen=True)
class Objects:
    """A file of JSON: one array, or an object a line."""

    path: Path
    lines: bool

    def source(self, kinds: Mapping[str, str], sampled: int = -1) -> str:
        """Return the expression that reads it, with these types of its columns or those it finds."""
        listed = ", ".join(f"{text(column)}: {text(kind)}" for column, kind in kinds.items())
        types = f"columns = {{{listed}}}" if listed else f"sample_size = {sampled}"
        # Whether 01-02-2024 is in January or February nobody knows: such days stay texts.
        return f"read_json({self._file}, dateformat = 'iso', {types})"

    @property
    def rows(self) -> str:
        """Return the expression that reads its objects as they are, called `json`."""
        return f"read_json_objects({self._file})"

    @property
    def _file(self) -> str:
        form = "newline_delimited" if self.lines else "auto"
        return f"{text(self.path)}, format = '{form}', maximum_object_size = {LONGEST_LINE}"


@dataclass(frozen=True)
class Columns:
    """Names and types of the columns; `odd` are those of times that nobody can read for sure.

    There are no `kinds` where columns can't be asked for by their names. `sampled` rows were looked at.
    """

    objects: Objects
    kinds: dict[str, str]
    sampled: int
    as_found: bool = False
    odd: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Return the expression that reads them; only where it finds the types itself it refuses further names."""
        return self.objects.source({} if self.as_found else self.kinds, self.sampled)

    @classmethod
    def of_first_rows(cls, objects: Objects, duck: Duck) -> "Columns":
        """Return what the first rows show; raises `QueryError`."""
        return cls._found(objects, duck, FIRST_ROWS)

    @classmethod
    def of_all_rows(cls, objects: Objects, duck: Duck) -> "Columns":
        """Return what all rows show, of which DuckDB looks at 70 MB a second; raises `QueryError`."""
        return cls._found(objects, duck, -1)

    @classmethod
    def _found(cls, objects: Objects, duck: Duck, sampled: int) -> "Columns":
        found = dict(duck.columns(objects.source({}, sampled)))
        if not _are_keys(found):
            return cls(objects, {}, sampled)
        kinds = {
            column: WITHIN.sub("VARCHAR", kind) if _is_nested(kind) else AS_WRITTEN.get(kind, kind)
            for column, kind in found.items()
        }
        odd = _odd_times(objects, kinds, duck)
        kinds |= dict.fromkeys(odd, "VARCHAR")
        as_found = sampled == FIRST_ROWS and kinds == found
        return cls(objects, kinds, sampled, as_found, tuple(odd))

    def fit(self, duck: Duck, span: Span) -> bool:
        """Tell whether all rows have values of these types, so that none was changed to fit."""
        if not self.kinds:
            return False
        asked = {column: _unlike(column, kind) for column, kind in self.kinds.items()}
        asked = {column: f"bool_or({unlike})" for column, unlike in asked.items() if unlike}
        raw = self.objects.source(dict.fromkeys(asked, "JSON"))
        if true_of(asked, raw, duck, span) or not (self.as_found or self._are_all(duck)):
            return False
        nested = [c for c, kind in self.kinds.items() if _is_nested(kind) and NUMBERS.search(kind)]
        return all(_has_one_shape(self.objects, column, duck) for column in nested)

    def _are_all(self, duck: Duck) -> bool:
        """Tell whether no row has a name beyond these."""
        sql = f"SELECT DISTINCT json_keys(json) FROM {self.objects.rows} LIMIT {MOST_SHAPES + 1}"
        shapes = duck.rows(sql)
        return len(shapes) <= MOST_SHAPES and all(
            self.kinds.keys() >= set(names) for (names,) in shapes
        )

    def long_numbers(self, target: Path, duck: Duck) -> list[str]:
        """Return the columns of floats with whole numbers of which a float does not hold every one."""
        floats = [column for column, kind in self.kinds.items() if kind == "DOUBLE"]
        large = true_of(
            {column: f"max(abs({name(column)})) >= {EXACT}" for column in floats},
            f"read_parquet({text(target)})",
            duck,
        )
        long = f"'-?[0-9]{{{len(str(EXACT))},}}'"
        asked = {c: f"bool_or(regexp_full_match({name(c)}::VARCHAR, {long}))" for c in large}
        return true_of(asked, self.objects.source(dict.fromkeys(large, "JSON")), duck)


def true_of(
    asked: Mapping[str, str], source: str, duck: Duck, span: Span | None = None
) -> list[str]:
    """Return the columns of which is true what is asked."""
    if not asked:
        return []
    sql = f"SELECT {', '.join(asked.values())} FROM {source}"
    (found,) = duck.rows(sql, span, "looking at every row" if span else "")
    return [column for column, true in zip(asked, found, strict=True) if true]


def _are_keys(found: Mapping[str, str]) -> bool:
    """Tell whether columns are called as the keys are: DuckDB adds numbers where capitals differ."""
    known = {column.casefold() for column in found}
    again = (re.fullmatch(r"(.*)_[0-9]+", column.casefold(), re.S) for column in found)
    return list(found) != ["json"] and not any(made and made[1] in known for made in again)


def _is_nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT(", "MAP("))


def _odd_times(objects: Objects, kinds: Mapping[str, str], duck: Duck) -> list[str]:
    """Return the columns of times that do not begin with the year, so that nobody knows the month."""
    odd = []
    for column in (column for column, kind in kinds.items() if kind == "TIMESTAMP"):
        raw = objects.source({column: "VARCHAR"})
        first = f"(SELECT {name(column)} FROM {raw} WHERE {name(column)} IS NOT NULL LIMIT {FIRST_TIMES})"
        form = text(FORMS["TIMESTAMP"])
        asked = {column: f"NOT bool_and(regexp_full_match({name(column)}, {form}))"}
        odd += true_of(asked, first, duck)
    return odd


def _unlike(column: str, kind: str) -> str:
    """Return what is true of a raw value that would be changed to fit a type; empty for texts."""
    if kind in KINDS:
        written = ", ".join(map(text, ("NULL", *KINDS[kind])))
        return f"json_type({name(column)}) NOT IN ({written})"
    if kind in FORMS:
        return f"NOT regexp_full_match({name(column)} ->> '$', {text(FORMS[kind])})"
    return ""


def _has_one_shape(objects: Objects, column: str, duck: Duck) -> bool:
    """Tell whether the objects and lists of a column are like those of its first rows."""
    raw = objects.source({column: "JSON"})
    first = f"(SELECT {name(column)} FROM {raw} LIMIT {FIRST_ROWS})"
    usual = duck.one(f"SELECT json_group_structure({name(column)}) FROM {first}")
    sql = f"SELECT DISTINCT json_structure({name(column)}) FROM {raw} LIMIT {MOST_SHAPES + 1}"
    shapes = [shape for (shape,) in duck.rows(sql) if shape is not None]
    return len(shapes) <= MOST_SHAPES and all(
        _covers(json.loads(usual), json.loads(shape)) for shape in shapes
    )


def _covers(usual: Any, shape: Any) -> bool:
    """Tell whether values of a shape are read by the types of the usual one and stay as they are."""
    if shape == "NULL" or usual in ("VARCHAR", "JSON") or usual == shape:
        return True
    if isinstance(usual, dict) and isinstance(shape, dict):
        return all(key in usual and _covers(usual[key], inner) for key, inner in shape.items())
    if isinstance(usual, list) and isinstance(shape, list):
        return not shape or (bool(usual) and _covers(usual[0], shape[0]))
    return isinstance(usual, str) and isinstance(shape, str) and shape in KINDS.get(usual, ())
