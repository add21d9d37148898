"""Counts what is in a table, column by column: gaps, ranges, spread, frequent values.

Counts, extremes and means are of every row; quantiles and histograms of at most 200,000 rows,
taken at equal distances, so that the same table always gives the same answer.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from uploads.operations.base import Json
from uploads.operations.duck import Duck, Span, name, within
from uploads.operations.tables_given import Table
from uploads.operations.tables_page import is_number

Group = Literal["number", "time", "text", "boolean", "other"]

# A column that no table has.
PLACE = '"\x1f place"'
AT_ONCE = 30
SAMPLE_ROWS, SAMPLE_CELLS = 200_000, 8_000_000
QUANTILES = (0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995)
BARS = 24
FEW_VALUES = 50_000
LOOK = "look"
LETTERS = 120


@dataclass
class Column:
    """What is known of one column; `facts` are those of its group, numbers or texts."""

    name: str
    type: str
    group: Group
    count: int = 0
    distinct: int = 0
    exact: bool = True
    least: str | None = None
    most: str | None = None
    facts: Json = field(default_factory=dict)
    values: list[tuple[str, int]] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    bounds: tuple[str, str] = ("", "")

    def gaps(self, rows: int) -> int:
        return rows - self.count

    def plain(self, rows: int) -> Json:
        """Return it as JSON."""
        return {
            "name": self.name,
            "type": self.type,
            "values": self.count,
            "missing": self.gaps(rows),
            "distinct": self.distinct,
            "distinct_is_exact": self.exact,
            "least": self.least,
            "most": self.most,
            **self.facts,
            "frequent": [{"value": value, "rows": rows_} for value, rows_ in self.values],
            "histogram": {"from": self.bounds[0], "to": self.bounds[1], "rows": self.bars}
            if self.bars
            else None,
        }


def group_of(kind: str) -> Group:
    if is_number(kind):
        return "number"
    if kind == "BOOLEAN":
        return "boolean"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return "time"
    return "text" if kind == "VARCHAR" or kind.startswith("ENUM") else "other"


def look_into(table: Table, duck: Duck, values: int, span: Span) -> list[Column]:
    """Return every column of a table with what is in it."""
    exact = table.rows <= SAMPLE_ROWS
    columns = [Column(called, kind, group_of(kind), exact=exact) for called, kind in table.columns]
    _count(table, columns, duck, within(span, 0, 0.55))
    every = _take_sample(table, duck, within(span, 0.55, 0.65))
    for number, column in enumerate(columns):
        share = within(span, 0.65 + 0.35 * number / len(columns), 1)
        duck.report(share[0], f"looking at {column.name}")
        if column.count:
            _spread(column, duck)
            _histogram(column, duck, every)
            if values and column.group != "other":
                _frequent(column, table, duck, values)
    return columns


# --- every row -----------------------------------------------------------------------


def _asked(column: Column) -> dict[str, str]:
    """Return what is asked of every row: fact and its SQL."""
    quoted = name(column.name)
    asked = {"count": f"count({quoted})"}
    if column.group == "other":
        return asked
    asked |= {
        "distinct": f"count(DISTINCT {quoted})"
        if column.exact
        else f"approx_count_distinct({quoted})",
        "least": f"left(min({quoted})::VARCHAR, {LETTERS})",
        "most": f"left(max({quoted})::VARCHAR, {LETTERS})",
    }
    if column.group == "number":
        real = f"{quoted}::DOUBLE"
        finite = f"CASE WHEN isfinite({real}) THEN {real} END"
        asked |= {
            "least_number": f"min({finite})",
            "most_number": f"max({finite})",
            "mean": f"avg({finite})",
            "deviation": f"stddev_pop({finite})",
            "zeros": f"count_if({quoted} = 0)",
            "negative": f"count_if({quoted} < 0)",
            "not_finite": f"count_if(NOT isfinite({real}))",
        }
    if column.group == "text":
        asked |= {
            "shortest": f"min(length({quoted}))",
            "longest": f"max(length({quoted}))",
            "mean_length": f"avg(length({quoted}))",
            "empty": f"count_if({quoted} = '')",
            "padded": f"count_if({quoted} <> trim({quoted}))",
        }
    if column.group == "boolean":
        asked["yes"] = f"count_if({quoted})"
    return asked


def _count(table: Table, columns: list[Column], duck: Duck, span: Span) -> None:
    """Ask some columns at a time, so that a wide table needs no more memory than another."""
    for start in range(0, len(columns), AT_ONCE):
        some = columns[start : start + AT_ONCE]
        asked = [(column, fact, sql) for column in some for fact, sql in _asked(column).items()]
        share = within(span, start / len(columns), min(1, (start + AT_ONCE) / len(columns)))
        sql = f"SELECT {', '.join(part for _, _, part in asked)} FROM {table.source}"
        (row,) = duck.rows(sql, share, "counting")
        for (column, fact, _), value in zip(asked, row, strict=True):
            _note(column, fact, value)


def _note(column: Column, fact: str, value: Any) -> None:
    if isinstance(value, float):
        # What several threads add up differs in its last digits from run to run.
        value = None if not math.isfinite(value) else float(f"{value:.9g}")
    if fact in {"count", "distinct", "least", "most"}:
        setattr(column, fact, value)
    elif value is not None:
        column.facts[fact] = value
    column.distinct = min(column.distinct, column.count)


# --- a sample ------------------------------------------------------------------------


def _take_sample(table: Table, duck: Duck, span: Span) -> int:
    """Keep every n-th row as a table of its own; returns n."""
    wanted = min(SAMPLE_ROWS, max(2000, SAMPLE_CELLS // max(1, len(table.columns))))
    every = max(1, math.ceil(table.rows / wanted))
    chosen = f"SELECT * FROM {table.source}"
    if every > 1:
        # Its own name for it, for a column may be called `file_row_number`.
        numbered = f"SELECT *, row_number() OVER () AS {PLACE} FROM {table.source}"
        chosen = f"SELECT * EXCLUDE ({PLACE}) FROM ({numbered}) WHERE {PLACE} % {every} = 1"
    duck.rows(f"CREATE OR REPLACE TABLE {LOOK} AS {chosen}", span, "taking a sample")
    return every


def _spread(column: Column, duck: Duck) -> None:
    quoted = name(column.name)
    if column.group == "number":
        real = f"{quoted}::DOUBLE"
        found = duck.one(
            f"SELECT quantile_cont({real}, {list(QUANTILES)}) FROM {LOOK} WHERE isfinite({real})"
        )
        if found:
            column.facts["quantiles"] = {
                f"{share:g}": float(f"{value:.9g}")
                for share, value in zip(QUANTILES, found, strict=True)
            }
    if column.group == "text":
        column.facts |= _kinds_of_texts(quoted, duck)


def _kinds_of_texts(quoted: str, duck: Duck) -> Json:
    """Return how many of the looked at texts are numbers or days, and examples of those that are not."""
    number = f"try_cast(replace({quoted}, ',', '.') AS DOUBLE) IS NOT NULL"
    forms = "['%Y-%m-%d', '%d.%m.%Y', '%m/%d/%Y', '%d/%m/%Y', '%Y/%m/%d', '%d-%m-%Y', '%Y%m%d']"
    day = f"(try_cast({quoted} AS DATE) IS NOT NULL OR try_strptime({quoted}, {forms}) IS NOT NULL)"
    said = f"{quoted} IS NOT NULL AND trim({quoted}) <> ''"
    looked, numbers, days = duck.rows(
        f"SELECT count(*), count_if({number}), count_if({day} AND length({quoted}) >= 8) "
        f"FROM {LOOK} WHERE {said}"
    )[0]
    facts: Json = {"looked_at": looked, "numbers": numbers, "days": days}
    for kind, test, found in (("numbers", number, numbers), ("days", day, days)):
        if 0.8 * looked <= found < looked:
            others = duck.rows(
                f"SELECT left({quoted}, 30), count(*) FROM {LOOK} WHERE {said} "
                f"AND NOT {test} GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 3"
            )
            facts[f"not_{kind}"] = [row[0] for row in others]
    return facts


def _histogram(column: Column, duck: Duck, every: int) -> None:
    """Count the looked at values between the outermost of them but half a percent."""
    quoted = name(column.name)
    if column.group == "number" and "quantiles" in column.facts:
        value = f"{quoted}::DOUBLE"
        spread = column.facts["quantiles"]
        low, high = spread["0.005"], spread["0.995"]
        if _few(column):
            low, high = column.facts["least_number"], column.facts["most_number"]
        shown = (figure(low), figure(high))
    elif column.group == "time":
        value = f"epoch({quoted}::TIMESTAMP)"
        found = duck.rows(
            f"SELECT min({value}), max({value}), min({quoted})::VARCHAR, max({quoted})::VARCHAR "
            f"FROM {LOOK} WHERE isfinite({quoted})"
        )[0]
        if found[0] is None:
            return
        low, high, shown = found[0], found[1], (found[2], found[3])
    else:
        return
    if not low < high or not math.isfinite(high - low):
        return
    bar = f"least({BARS - 1}, greatest(0, floor(({value} - {low!r}) / {high - low!r} * {BARS})))"
    counts: dict[int, int] = {
        row[0]: row[1]
        for row in duck.rows(
            f"SELECT {bar}::INTEGER, count(*) FROM {LOOK} WHERE isfinite({value}) GROUP BY 1"
        )
    }
    column.bars = [counts.get(place, 0) * every for place in range(BARS)]
    column.bounds = shown


def _few(column: Column) -> bool:
    spread = column.facts["quantiles"]
    wide = spread["0.995"] - spread["0.005"]
    whole = column.facts["most_number"] - column.facts["least_number"]
    return bool(whole <= 3 * wide or wide == 0)


def _frequent(column: Column, table: Table, duck: Duck, values: int) -> None:
    """List the most frequent values, where a value is frequent at all."""
    if column.distinct > min(FEW_VALUES, 0.5 * column.count) and column.distinct > values:
        return
    quoted = name(column.name)
    column.values = [
        (row[0], row[1])
        for row in duck.rows(
            f"SELECT left(#1::VARCHAR, {LETTERS}), #2 FROM (SELECT {quoted}, count(*) "
            f"FROM {table.source} WHERE {quoted} IS NOT NULL GROUP BY ALL "
            f"ORDER BY 2 DESC, 1 LIMIT {values})"
        )
    ]


def figure(value: float) -> str:
    """Return a number as people write it: “12,300”, “0.045”, “1.2e+30”."""
    if value == 0:
        return "0"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1000 and abs(value) < 1e15:
        return f"{value:,.1f}"
    return f"{value:.4g}"
