"""Rules that a table's rows have to follow, out of plain lines; it knows no table and no SQL.

A line is `column: what holds, what holds`; `tables_schema` reads the same rules out of a Table
Schema of Frictionless Data.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Literal

Kind = Literal["", "text", "whole number", "number", "yes or no", "date", "moment", "time"]

KINDS: dict[str, Kind] = {
    "text": "text",
    "string": "text",
    "whole number": "whole number",
    "integer": "whole number",
    "number": "number",
    "yes or no": "yes or no",
    "boolean": "yes or no",
    "date": "date",
    "moment": "moment",
    "datetime": "moment",
    "time": "time",
    "any": "",
}
# What may be compared: how a bound is written so that every reader takes it for the same.
_CLOCK = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
COMPARED: dict[Kind, tuple[str, Callable[[str], object]]] = {
    "whole number": (r"[+-]?\d{1,18}", int),
    "number": (r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", float),
    "date": (r"\d{4}-\d\d-\d\d", date.fromisoformat),
    "moment": (rf"\d{{4}}-\d\d-\d\d([ T]{_CLOCK})?", datetime.fromisoformat),
    "time": (_CLOCK, time.fromisoformat),
}
TOGETHER = "unique together"
MOST_RULES = 2000
_COLUMN = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^:]*?))\s*(?::(.*))?')
_LENGTH = re.compile(r"at (least|most) (\d{1,9}) letters?")
_FORM = re.compile(r"(date|moment) (\S*%\S.*)")


@dataclass(frozen=True)
class Rule:
    """What holds of one column; empty cells break `required` only.

    `least` and `most` are inclusive, days and moments in them as ISO 8601 has it, whatever `form`
    (that of strptime) says of the table's. `shortest` and `longest` count letters; `pattern` is
    a regular expression (RE2) of the whole value.
    """

    column: str
    kind: Kind = ""
    form: str = ""
    required: bool = False
    unique: bool = False
    least: str = ""
    most: str = ""
    shortest: int | None = None
    longest: int | None = None
    pattern: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """The rules of a table: one a column, the columns whose values occur once as a whole.

    What is one of `missing` counts as an empty cell.
    """

    columns: tuple[Rule, ...]
    key: tuple[str, ...] = ()
    missing: tuple[str, ...] = ("",)


class RuleError(ValueError):
    """A rule that can't be understood; its text says which, and what there is instead."""


def rules_of(written: str) -> Rules:
    """Return the rules of plain lines; raises `RuleError` with the line's number."""
    rules: list[Rule] = []
    key: tuple[str, ...] = ()
    for number, line in enumerate(re.split(r"\r\n|\r|\n", written), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            called, said, quoted = _divided(line)
            if called.casefold() == TOGETHER and not quoted:
                key = tuple(column.strip() for column in said.split(",") if column.strip())
            else:
                rules.append(_rule(called, said))
        except RuleError as error:
            raise RuleError(f"line {number}: {error}") from error
    return checked(Rules(tuple(rules), key))


def checked(rules: Rules) -> Rules:
    """Return rules that hold together; raises `RuleError`."""
    if len(rules.columns) > MOST_RULES:
        raise RuleError(f"there are more than {MOST_RULES:,} rules.")
    seen: set[str] = set()
    for rule in rules.columns:
        if rule.column.casefold() in seen:
            raise RuleError(f"“{rule.column}” has two rules; write them in one line.")
        seen.add(rule.column.casefold())
        _refuse_strange(rule)
    return rules


def _refuse_strange(rule: Rule) -> None:
    """Refuse bounds and values that are none of the rule's kind."""
    bounds = [bound for bound in (rule.least, rule.most) if bound]
    if bounds and rule.kind not in COMPARED:
        words = "is compared, so say what it is: a number, date, moment or time."
        raise RuleError(f"“{rule.column}” {words}")
    for bound in (*bounds, *rule.values) if rule.kind in COMPARED else ():
        pattern, parsed = COMPARED[rule.kind]
        try:
            fits = re.fullmatch(pattern, bound, re.ASCII) is not None and parsed(bound) is not None
        except ValueError:
            fits = False
        if not fits:
            raise RuleError(f"“{bound}” of “{rule.column}” is no {rule.kind}.")


def _divided(line: str) -> tuple[str, str, bool]:
    """Return a line's column, what it says of it, and whether the name stands in quotation marks.

    A name with a colon has to.
    """
    found = _COLUMN.fullmatch(line)
    if not found:
        raise RuleError("after the column's name comes a colon.")
    quoted, plain, said = found.groups()
    called = quoted.replace('""', '"') if quoted is not None else plain
    if not called:
        raise RuleError("it names no column.")
    return called, (said or "").strip(), quoted is not None


def _rule(column: str, said: str) -> Rule:
    rule, rest = Rule(column), said
    while rest:
        last = re.match(r"(like|one of)\s+(\S.*)", rest)
        if last:  # may hold commas, so it is the last one of its line
            words, value = last.groups()
            if words == "like":
                return replace(rule, pattern=value)
            return replace(rule, values=tuple(word.strip() for word in value.split("|")))
        part, _, rest = (word.strip() for word in rest.partition(","))
        if part:
            rule = _with(rule, part)
    return rule


def _with(rule: Rule, part: str) -> Rule:
    """Return a rule that says one thing more."""
    words = " ".join(part.split())
    plain = words.casefold()
    if plain in KINDS:
        return replace(rule, kind=KINDS[plain])
    if found := _FORM.fullmatch(words):
        return replace(rule, kind=KINDS[found[1]], form=found[2])
    if plain in {"required", "unique"}:
        return replace(rule, required=rule.required or plain == "required",
                       unique=rule.unique or plain == "unique")  # fmt: skip
    if found := _LENGTH.fullmatch(plain):
        length = int(found[2])
        return (
            replace(rule, shortest=length) if found[1] == "least" else replace(rule, longest=length)
        )
    if found := re.fullmatch(r"from (.+?) to (.+)", words):
        return replace(rule, least=found[1], most=found[2])
    if found := re.fullmatch(r"(from|to) (.+)", words):
        return replace(rule, least=found[2]) if found[1] == "from" else replace(rule, most=found[2])
    raise RuleError(f"“{part}” is not understood; there are {', '.join(KNOWN)}.")


KNOWN: Sequence[str] = (
    *(kind for kind in dict.fromkeys(KINDS.values()) if kind),
    *("required", "unique", "from 0 to 100", "at most 200 letters", "at least 2 letters"),
    *("date %d.%m.%Y", "one of a | b", "like [A-Z]{2}[0-9]+"),
)
