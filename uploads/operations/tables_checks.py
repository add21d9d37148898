"""Rules as SQL: what a row has to be asked, and the words for it where it does not hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uploads.operations.duck import name, text
from uploads.operations.tables_page import is_number
from uploads.operations.tables_rows import PLACE
from uploads.operations.tables_rules import COMPARED, Kind, Rule, Rules
from uploads.operations.tables_types import TEXT, TextColumn

TYPES: dict[Kind, str] = {
    "whole number": "BIGINT",
    "number": "DOUBLE",
    "yes or no": "BOOLEAN",
    "date": "DATE",
    "moment": "TIMESTAMP",
    "time": "TIME",
}
WHOLE = r"\s*[+-]?[0-9]+\s*"
YES, NO = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(frozen=True)
class Check:
    """One thing that holds of a row: `broken` says where it does not, `words` what is wrong there.

    `shown` is the expression of the value to tell.
    """

    broken: str
    words: str
    shown: str


@dataclass(frozen=True)
class Cell:
    """A column as SQL sees it: as it is, as a text (NULL where it is empty), as what it should be.

    `fits` says whether the last one tells the same as the text.
    """

    column: str
    written: str
    value: str
    fits: str


def cell(rule: Rule, found: str, missing: Sequence[str]) -> Cell:
    """Return how a column of the type `found` is seen by its rule."""
    column = name(rule.column)
    empty = ", ".join(text(word) for word in {"", *missing})
    written = f"CASE WHEN {column}::VARCHAR NOT IN ({empty}) THEN {column}::VARCHAR END"
    wanted = TYPES.get(rule.kind, TEXT)
    if wanted == TEXT:
        return Cell(column, written, written, "true")
    if found == wanted:
        return Cell(column, written, column, "true")
    days = found == "DATE" or found.startswith("TIMESTAMP")
    value = f"TRY_CAST({column} AS {wanted})"
    if days and wanted in {"DATE", "TIMESTAMP"}:  # a day is its midnight
        return Cell(column, written, value, f"coalesce({value} = {column}, false)")
    if is_number(found) and wanted == "BIGINT":
        return Cell(column, written, value, f"coalesce({value} = {column}, false)")
    if is_number(found) and wanted == "DOUBLE":
        return Cell(column, written, value, f"({value} IS NOT NULL)")
    return Cell(column, written, *_read(rule, wanted, written))


def _read(rule: Rule, wanted: str, written: str) -> tuple[str, str]:
    """Return the value of what is written as a text, and whether it is one."""
    if wanted == "BOOLEAN":
        word = f"lower(trim({written}))"
        either = [", ".join(text(word) for word in words) for words in (YES, NO)]
        value = f"CASE WHEN {word} IN ({either[0]}) THEN true WHEN {word} IN ({either[1]}) THEN false END"
        return value, f"(({value}) IS NOT NULL)"
    column = TextColumn("", wanted, rule.form)
    value = column.cast(f"({written})")
    if wanted == "DOUBLE":  # also one that a float does not hold exactly
        return value, f"({value} IS NOT NULL)"
    if wanted == "BIGINT":  # also 007, for nobody takes it for a text here
        return value, f"({value} IS NOT NULL AND regexp_full_match({written}, {text(WHOLE)}))"
    return value, column.fits(f"({written})", f"({value})")


def holds_all(rule: Rule, written: str) -> str:
    """Return what has to be true of all values for a column to have its rule's type; may be empty.

    A float does not hold every whole number.
    """
    if rule.kind != "number":
        return ""
    column = TextColumn("", TYPES["number"])
    return column.fits(f"({written})", f"({column.cast(f'({written})')})")


def checks(rules: Rules, types: dict[str, str]) -> list[Check]:
    """Return what is asked of every row, in the order of the rules; `types` are the columns' own."""
    made: list[Check] = []
    for rule in rules.columns:
        made += _of_column(rule, cell(rule, types[rule.column], rules.missing))
    if rules.key:
        shown = " || ', ' || ".join(
            f"coalesce({name(column)}::VARCHAR, '')" for column in rules.key
        )
        among = ", ".join(name(column) for column in rules.key)
        named = " and ".join(f"“{column}”" for column in rules.key)
        there = (
            f"concat_ws('', {', '.join(f'{name(column)}::VARCHAR' for column in rules.key)}) <> ''"
        )
        broken = f"{there} AND {_again(among)}"
        made.append(Check(broken, f"{named} together have occurred before", shown))
    return made


def _of_column(rule: Rule, seen: Cell) -> Iterator[Check]:
    called, shown, written = f"“{rule.column}”", seen.written, f"({seen.written})"
    if rule.required:
        yield Check(f"{written} IS NULL", f"{called} is empty", shown)
    there = f"{written} IS NOT NULL"
    if TYPES.get(rule.kind):
        kind = f"{rule.kind} as {rule.form}" if rule.form else rule.kind
        words = "is neither yes nor no" if rule.kind == "yes or no" else f"is no {kind}"
        yield Check(f"{there} AND NOT {seen.fits}", f"{called} {words}", shown)
    for bound, sign, words in ((rule.least, "<", "below"), (rule.most, ">", "above")):
        if bound:
            broken = f"{there} AND {seen.fits} AND {seen.value} {sign} {_value(rule, bound)}"
            yield Check(broken, f"{called} is {words} {bound}", shown)
    if rule.shortest is not None:
        broken = f"length({written}) < {rule.shortest}"
        yield Check(broken, f"{called} is shorter than {_letters(rule.shortest)}", shown)
    if rule.longest is not None:
        broken = f"length({written}) > {rule.longest}"
        yield Check(broken, f"{called} is longer than {_letters(rule.longest)}", shown)
    if rule.pattern:
        broken = f"{there} AND NOT regexp_full_match({written}, {text(rule.pattern)})"
        yield Check(broken, f"{called} is not like {rule.pattern}", shown)
    if rule.values:
        known = ", ".join(_value(rule, value) for value in rule.values)
        value = seen.value if rule.kind in COMPARED else seen.written
        broken = f"{there} AND coalesce(({value}) NOT IN ({known}), false)"
        yield Check(broken, f"{called} is none of {_some(rule.values)}", shown)
    if rule.unique:
        key = seen.value if rule.kind in COMPARED else seen.written
        yield Check(f"{there} AND {_again(key)}", f"{called} has occurred before", shown)


def _value(rule: Rule, value: str) -> str:
    """Return a bound or an allowed value as SQL writes it."""
    wanted = TYPES[rule.kind] if rule.kind in COMPARED else TEXT
    return f"CAST({text(value)} AS {wanted})"


def _again(among: str) -> str:
    """Return whether a row has what an earlier one has."""
    return f"row_number() OVER (PARTITION BY {among} ORDER BY {name(PLACE)}) > 1"


def _letters(count: int) -> str:
    return "1 letter" if count == 1 else f"{count:,} letters"


def _some(values: Sequence[str]) -> str:
    shown = [f"“{value}”" for value in values[:8]]
    return ", ".join([*shown, *(["…"] if len(values) > len(shown) else [])])
