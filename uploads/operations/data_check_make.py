"""Checks rows by rules: one pass asks every row, then those that fit and those that do not part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError
from uploads.naming import own_name
from uploads.operations.base import Context, Output
from uploads.operations.data_check_learn import learned
from uploads.operations.duck import Duck, QueryError, Span, duck, first_line, name, text, within
from uploads.operations.tables import read, rejects, told_of
from uploads.operations.tables_checks import Check, cell, checks, holds_all
from uploads.operations.tables_convert import safe
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_out import hand_out
from uploads.operations.tables_rows import PLACE, free, kept, listed, no_column, numbered
from uploads.operations.tables_rules import Rule, Rules
from uploads.operations.tables_write import Writing

if TYPE_CHECKING:
    from uploads.operations.data_check import CheckTable

READ, ASKED = 0.4, 0.4
BROKEN = "tidemill broken"
MOST_TOLD = 3


@dataclass(frozen=True)
class Finding:
    """How many rows break a rule; the first of them, and what it says."""

    check: Check
    rows: int
    first: int
    shown: str | None = None

    def __str__(self) -> str:
        rows = "" if self.rows == 1 else f"{self.rows:,} rows, the first is "
        shown = f": “{self.shown}”" if self.shown else ""
        return f"{self.check.words} ({rows}row {self.first:,}{shown})"


def check(source: Path, step: "Context[CheckTable]") -> Iterator[Output]:
    """Hand out the rows that fit and those that do not, or the rules of a table without any."""
    rules = step.options.parsed()
    named = frozenset(column.casefold() for column in _columns(rules))
    written = named and step.options.format == "csv"
    given = Given(source, step.name, step.media_type)
    with duck(step, [source]) as engine, told_of(given):
        tables = read(given, engine, (0.0, READ), Reading(texts=None if written else named))
        for number, table in enumerate(tables):
            span = within((READ, 1.0), number / len(tables), (number + 1) / len(tables))
            label = f"source-{safe(table.name)}" if len(tables) > 1 else "source"
            if named:
                yield from _checked(table, _fitted(rules, table, step), label, engine, span)
            else:
                yield from learned(table, label, engine, span)
        yield from rejects(given, engine, tables)


def _columns(rules: Rules) -> list[str]:
    return [*(rule.column for rule in rules.columns), *rules.key]


def _fitted(rules: Rules, table: Table, step: "Context[CheckTable]") -> Rules:
    """Return the rules with the columns' names as the table has them; raises `InputError`."""
    known = {column.casefold(): column for column, _ in table.columns}
    for wanted in _columns(rules):
        if wanted.casefold() not in known:
            raise no_column(wanted, table, step.name)
    named = {column.casefold() for column in _columns(rules)}
    others = [column for key, column in known.items() if key not in named]
    if others and step.options.others == "refuse":
        shown = ", ".join(f"“{column}”" for column in others[:8])
        raise InputError("rules_broken", name=step.name, reason=f"no rule is about {shown}.")
    return replace(
        rules,
        columns=tuple(
            replace(rule, column=known[rule.column.casefold()]) for rule in rules.columns
        ),
        key=tuple(known[column.casefold()] for column in rules.key),
    )


def _checked(table: Table, rules: Rules, label: str, engine: Duck, span: Span) -> Iterator[Output]:
    step: Context[CheckTable] = engine.step
    asked = checks(rules, dict(table.columns))
    marked = _marked(table, asked, engine, within(span, 0, ASKED))
    findings = _findings(marked, asked, engine)
    broken = int(engine.one(f"SELECT count(*) FROM {marked.source} WHERE len({name(BROKEN)}) > 0"))
    called = table.name or step.name
    if broken:
        told = _told(findings)
        if step.options.broken == "fail":
            raise InputError("rules_broken", name=called, reason=told)
        words = "1 row breaks" if broken == 1 else f"{broken:,} rows break"
        step.warn(f"{words} the rules: {told}")
    else:
        step.log(f"All {table.rows:,} rows of {called} follow the rules.")
    good = _good(marked, table, rules, table.rows - broken, engine, within(span, ASKED, 0.6))
    writing = Writing(step.options.format)
    shown = table.name or own_name(step.name)
    yield from hand_out(good, label, shown, writing, engine, within(span, 0.6, 0.8))
    if broken:
        yield from _apart(marked, table, asked, broken, label, engine, within(span, 0.8, 1))


def _marked(table: Table, asked: Sequence[Check], engine: Duck, span: Span) -> Table:
    """Return the table with the numbers of the checks that each row does not pass."""
    tests = ", ".join(
        f"CASE WHEN {check.broken} THEN {number} END" for number, check in enumerate(asked)
    )
    broken = f"list_filter([{tests}]::INTEGER[], lambda n: n IS NOT NULL)"
    asking = f"SELECT *, {broken} AS {name(BROKEN)} FROM {numbered(table)}"
    try:
        return kept(engine, "marked", asking, span, "checking rows", table.rows)
    except QueryError as error:
        if error.kind != "Invalid Input":  # a pattern that is none
            raise
        sentence = (
            f"A pattern of the rules, or a way to write days, is none: {first_line(error.reason)}"
        )
        raise InputError.because(sentence, "Correct it and start again.") from error


def _findings(marked: Table, asked: Sequence[Check], engine: Duck) -> list[Finding]:
    """Return what is broken, most often first."""
    place = name(PLACE)
    found = engine.rows(
        f"SELECT number, count(*), min({place}) FROM (SELECT {place}, unnest({name(BROKEN)}) AS number "
        f"FROM {marked.source}) GROUP BY number ORDER BY 2 DESC, 1"
    )
    made = [Finding(asked[number], rows, first) for number, rows, first in found]
    for place_of, finding in enumerate(made[:MOST_TOLD]):
        example = f"SELECT left({finding.check.shown}, 40) FROM {marked.source}"
        shown = engine.one(f"{example} WHERE {place} = {finding.first}")
        made[place_of] = replace(finding, shown=shown)
    return made


def _told(findings: Sequence[Finding]) -> str:
    told = "; ".join(str(finding) for finding in findings[:MOST_TOLD])
    more = len(findings) - MOST_TOLD
    if more > 0:
        told += f"; {more} more {'rule is' if more == 1 else 'rules are'} broken"
    return f"{told}."


def _apart(
    marked: Table, table: Table, asked: Sequence[Check], broken: int,
    label: str, engine: Duck, span: Span,
) -> Iterator[Output]:  # fmt: skip
    """Hand out the rows that break rules, each with its number and the reasons."""
    words = ", ".join(text(check.words) for check in asked)
    reason = f"array_to_string(list_transform({name(BROKEN)}, lambda n: [{words}][n + 1]), '; ')"
    asking = (
        f"SELECT {name(PLACE)} AS {name(free('row', table))}, "
        f"{reason} AS {name(free('reason', table))}, {listed(table.columns)} "
        f"FROM {marked.source} WHERE len({name(BROKEN)}) > 0 ORDER BY {name(PLACE)}"
    )
    made = kept(engine, "broken", asking, within(span, 0, 0.5), "listing them", broken)
    called = f"{own_name(table.name or engine.step.name)}: rows that break the rules"
    yield from hand_out(
        made, f"{label}-broken", called, Writing("csv"), engine, within(span, 0.5, 1), role="report"
    )


def _good(marked: Table, table: Table, rules: Rules, count: int, engine: Duck, span: Span) -> Table:
    """Return the rows that follow the rules, typed by them unless they are to stay as written."""
    step: Context[CheckTable] = engine.step
    by_name = {rule.column: rule for rule in rules.columns}
    chosen = []
    for column, kind in table.columns:
        rule = by_name.get(column, Rule(column))
        if column not in by_name and column not in rules.key and step.options.others == "drop":
            continue
        seen = cell(rule, kind, rules.missing)
        typed = (
            step.options.format != "csv"
            and rule.kind
            and _holds(seen.written, rule, marked, engine)
        )
        chosen.append(f"{seen.value if typed else name(column)} AS {name(column)}")
    asking = (
        f"SELECT {', '.join(chosen)} FROM {marked.source} WHERE len({name(BROKEN)}) = 0 "
        f"ORDER BY {name(PLACE)}"
    )
    return kept(engine, "good", asking, span, "choosing rows", count)


def _holds(written: str, rule: Rule, marked: Table, engine: Duck) -> bool:
    """Tell whether a column's type holds its values exactly: a float does not hold every number."""
    test = holds_all(rule, written)
    good = f"FROM {marked.source} WHERE len({name(BROKEN)}) = 0"
    return not test or bool(engine.one(f"SELECT coalesce(bool_and({test}), true) {good}"))
