"""Places in a question, such as `:day`, and the values that fill them; knows no database.

A value becomes a literal of SQL: a number as it is written, `null` as NULL, anything else a quoted
text. Texts, names and remarks in the question keep their colons.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from uploads.errors import InputError, RequestError
from uploads.operations.options import fields_of, option

Style = Literal["standard", "postgresql", "mysql"]
Values = Mapping[str, list[str]]

TEXT: Final = r"'(?:''|[^'])*'"
ESCAPED: Final = r"'(?:\\.|''|[^'\\])*'"
NAME: Final = r'"(?:""|[^"])*"|`[^`]*`'
BEFORE: Final = r"--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|[eE]" + ESCAPED
# Behind a word, a bracket or another colon it divides something: `a[2:n]`, `'{"a":b}'`, `day::date`.
PLACE: Final = r"(?:(?<=[\s(,=<>+\-*/%|!~])|\A):(?P<place>[A-Za-z_]\w*)"
STANDARD: Final = re.compile("|".join((BEFORE, TEXT, NAME, PLACE)), re.S)
MYSQL: Final = re.compile("|".join((BEFORE, ESCAPED, NAME, PLACE)), re.S)

MOST_LETTERS: Final = 20_000

LINE: Final = re.compile(r"\s*:?(?P<place>[A-Za-z_]\w*)\s*=(?P<value>.*)")
NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
QUOTED: Final = re.compile(r"""'(?P<single>.*)'|"(?P<double>.*)\"""")


def values_option(fills: str) -> str:
    """Declare the option with the values for the places of the question in another option."""
    return option(
        "",
        "A line each for the places in the question, such as day = 2024-01-31 for :day. Several "
        "lines of one name are a list, for IN (:day).",
        label="Values",
        max_length=MOST_LETTERS,
        main=True,
        multiline=True,
        fills=fills,
    )


def values_in(text: str) -> dict[str, list[str]]:
    """Return the values by place; each line is `name = value`, and several of a name are a list.

    A line without a value counts as none: an empty text is written `""`.
    Raises `RequestError` (`invalid_options`) that names the line.
    """
    values: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = LINE.fullmatch(line)
        if found is None:
            raise _refused(f"Line {number} of the values is none such as “day = 2024-01-31”.")
        if value := found["value"].strip():
            values.setdefault(found["place"], []).append(value)
    return values


def places_in(sql: str, *, escapes: bool = False) -> list[str]:
    """Return the places of a question, each once, in their order."""
    found = (MYSQL if escapes else STANDARD).finditer(sql)
    return list(dict.fromkeys(made["place"] for made in found if made["place"]))


def check_values(sql: str, text: str) -> None:
    """Refuse values that can't be read, a place without one, and one without a place.

    Which texts a backslash escapes depends on the database, so only what is missing in either
    reading is. Raises `RequestError` (`invalid_options`).
    """
    values = values_in(text)
    plain, escaped = places_in(sql), places_in(sql, escapes=True)
    for place in plain:
        if place in escaped and place not in values:
            raise _refused(_missing(place))
    for place in values:
        if place not in {*plain, *escaped}:
            raise _refused(f"There is no place “:{place}” in the question.")


def check_options(options: Any) -> None:
    """Check every option that fills the places of another one, as `check_values` does."""
    for field in fields_of(type(options)):
        if field.fills:
            check_values(getattr(options, field.fills), getattr(options, field.name))


def filled(sql: str, text: str, style: Style = "standard") -> str:
    """Return a question with a literal in each place; raises `InputError` where a value is missing."""
    values = values_in(text)

    def literal(found: "re.Match[str]") -> str:
        place = found["place"]
        if not place:
            return found[0]
        if place not in values:
            raise InputError("sql_failed", reason=_missing(place), hint="Fill it in.")
        return ", ".join(_literal(value, style) for value in values[place])

    return (MYSQL if style == "mysql" else STANDARD).sub(literal, sql)


def _literal(value: str, style: Style) -> str:
    if value.casefold() == "null":
        return "NULL"
    if NUMBER.fullmatch(value):
        # A space before it: a minus behind a minus would begin a remark.
        return f" {value}" if value.startswith("-") else value
    if quoted := QUOTED.fullmatch(value):
        value = quoted["single"] if quoted["single"] is not None else quoted["double"]
    doubled = value.replace("'", "''")
    if "\\" in value and style != "standard":
        # Whether a backslash escapes depends on PostgreSQL's settings, unless E says so.
        escaped = doubled.replace("\\", "\\\\")
        return f" E'{escaped}'" if style == "postgresql" else f"'{escaped}'"
    return f"'{doubled}'"


def _missing(place: str) -> str:
    return (
        f"There is no value for “:{place}”; where the colon marks no place, "
        "put a space between it and the name."
    )


def _refused(reason: str) -> RequestError:
    return RequestError("invalid_options", reason=reason, field="values")
