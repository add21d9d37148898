"""What looks odd in a table, in sentences; knows counts, asks a little more where they hint at something."""

import math
import re

from uploads.operations.duck import Duck, name, text
from uploads.operations.profiling import FEW_VALUES, LOOK, Column, figure
from uploads.operations.tables_given import Table
from uploads.operations.tables_page import counted

KEY = re.compile(r"(?:^|_|\b)(?:id|key|uuid|guid|nr|no|number|code)$", re.I)
MOST_KEYS = 3
MOST_VARIANTS = 3
NO_DATES = ("1900-01-01", "1970-01-01", "9999-12-31")


def odd_things(table: Table, columns: list[Column], duck: Duck, *, keys: bool) -> list[str]:
    """Return a sentence for each thing that is worth a look."""
    found = [line for column in columns for line in _of_column(column, table, duck)]
    if keys:
        found += _double_keys(table, columns, duck)
    return found


def _of_column(column: Column, table: Table, duck: Duck) -> list[str]:
    said = f"“{column.name}”"
    rows, gaps = table.rows, column.gaps(table.rows)
    if rows and not column.count:
        return [f"{said} is empty in every row."]
    found = []
    if rows > 1 and not gaps and column.least == column.most and column.group != "other":
        found.append(f"{said} has the same value in every row: {_cut(column.least)}.")
    if gaps > 0.5 * rows:
        found.append(f"{said} is empty in {_percent(gaps / rows)} of the rows.")
    if column.group == "number":
        found += _of_numbers(column, said, duck)
    if column.group == "text":
        found += _of_texts(column, said, table, duck)
    if column.group == "time":
        found += _of_days(column, said, table, duck)
    return found


def _of_numbers(column: Column, said: str, duck: Duck) -> list[str]:
    facts, found = column.facts, []
    if strange := facts.get("not_finite"):
        found.append(f"{said} has {counted(strange, 'value')} that {_are(strange)} no number.")
    spread = facts.get("quantiles", {})
    if not spread or spread["0.75"] == spread["0.25"]:
        return found
    wide = spread["0.75"] - spread["0.25"]
    low, high = spread["0.25"] - 5 * wide, spread["0.75"] + 5 * wide
    if not (math.isfinite(low) and math.isfinite(high)):
        return found
    column_ = f"{name(column.name)}::DOUBLE"
    far, looked = duck.rows(
        f"SELECT count_if({column_} < {low!r} OR {column_} > {high!r}), count(*) FROM {LOOK}"
    )[0]
    beyond = facts["least_number"] < low or facts["most_number"] > high
    if beyond and far <= 0.01 * looked:
        extreme = facts["most_number"] if facts["most_number"] > high else facts["least_number"]
        found.append(
            f"{said} has values far from the others: most are between {figure(spread['0.05'])} "
            f"and {figure(spread['0.95'])}, but one is {figure(extreme)}."
        )
    return found


def _of_texts(column: Column, said: str, table: Table, duck: Duck) -> list[str]:
    facts, found = column.facts, []
    if padded := facts.get("padded"):
        found.append(f"{counted(padded, 'value')} of {said} {_have(padded)} spaces around.")
    if empty := facts.get("empty"):
        found.append(f"{counted(empty, 'value')} of {said} {_are(empty)} empty, yet not missing.")
    looked = facts.get("looked_at", 0)
    for kind, words in (("days", "days"), ("numbers", "numbers")):
        share = facts.get(kind, 0) / looked if looked else 0
        if share == 1 and kind == "days":
            found.append(f"{said} holds days as text, such as {_cut(column.least)}.")
        elif 0.8 <= share < 1 and facts.get(f"not_{kind}"):
            others = ", ".join(_cut(value) for value in facts[f"not_{kind}"])
            found.append(
                f"{said} is text, but {_percent(share)} of its values are {words}; not so: {others}."
            )
        if share >= 0.8:
            break
    return found + _variants(column, said, table, duck)


def _variants(column: Column, said: str, table: Table, duck: Duck) -> list[str]:
    """Find values that differ only in capital letters or in spaces around."""
    if not column.values or column.distinct > FEW_VALUES:
        return []
    quoted = name(column.name)
    rows = duck.rows(
        f"SELECT min({quoted}), max({quoted}) FROM {table.source} WHERE {quoted} IS NOT NULL "
        f"GROUP BY lower(trim({quoted})) HAVING min({quoted}) <> max({quoted}) "
        f"ORDER BY count(*) DESC, 1 LIMIT {MOST_VARIANTS}"
    )
    pairs = [f"{_cut(one)} and {_cut(other)}" for one, other in rows]
    return [f"{said} writes the same in several ways: {'; '.join(pairs)}."] if pairs else []


def _of_days(column: Column, said: str, table: Table, duck: Duck) -> list[str]:
    found = []
    for day in NO_DATES:
        if any(
            shown is not None and shown.startswith(day) for shown in (column.least, column.most)
        ):
            count = duck.one(
                f"SELECT count_if({name(column.name)}::DATE = {text(day)}::DATE) FROM {table.source}"
            )
            found.append(f"{said} is {day} in {counted(count, 'row')}, which often means none.")
    return found


def _double_keys(table: Table, columns: list[Column], duck: Duck) -> list[str]:
    """Look for values that occur twice in columns that seem to be keys: by name, or nearly all differ."""
    likely = [
        column
        for column in columns
        if column.group in {"number", "text"}
        and column.count > 1
        and "." not in (column.most or "" if column.group == "number" else "")
        and column.distinct > (0.7 if KEY.search(column.name) else 0.97) * column.count
        and (KEY.search(column.name) or column.facts.get("longest", 0) <= 40)
    ]
    likely.sort(key=lambda column: not KEY.search(column.name))
    found = []
    for column in likely[:MOST_KEYS]:
        quoted = name(column.name)
        again = duck.rows(
            f"SELECT {quoted}::VARCHAR, count(*), count(*) OVER () FROM {table.source} "
            f"WHERE {quoted} IS NOT NULL GROUP BY {quoted} HAVING count(*) > 1 "
            "ORDER BY 2 DESC, 1 LIMIT 1",
            note=f"looking for doubles in {column.name}",
        )
        for value, times, doubles in again:
            found.append(
                f"“{column.name}” looks like a key, but {counted(doubles, 'value')} "
                f"{'occurs' if doubles == 1 else 'occur'} more than once: "
                f"{_cut(value)} {times:,} times."
            )
    return found


def _cut(value: str | None) -> str:
    shown = " ".join((value or "").split())
    return f"“{shown if len(shown) <= 30 else shown[:29] + '…'}”"


def _percent(share: float) -> str:
    return f"{min(99, max(1, round(100 * share)))} %"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
