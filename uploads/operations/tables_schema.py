"""Rules out of a Table Schema (Frictionless Data, specs.frictionlessdata.io/table-schema)."""

import json
from collections.abc import Mapping
from typing import Any

from uploads.operations.tables_rules import KINDS, Kind, Rule, RuleError, Rules, checked

CONSTRAINTS = frozenset(
    {"required", "unique", "minimum", "maximum", "minLength", "maxLength", "pattern", "enum"}
)
# What would change how values are read, or which columns there are; it is not looked at.
UNKNOWN = ("foreignKeys", "uniqueKeys", "fieldsMatch")
UNKNOWN_OF_FIELDS = ("decimalChar", "groupChar", "bareNumber", "trueValues", "falseValues",
                     "missingValues", "categories")  # fmt: skip
FORMED: frozenset[Kind] = frozenset({"date", "moment"})
# What a text's format says, as a pattern.
FORMATS = {
    "email": r"[^@\s]+@[^@\s]+",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:\S+",
    "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}


def rules_of_schema(written: str) -> Rules:
    """Return the rules that a Table Schema in JSON says; raises `RuleError` for what isn't kept."""
    try:
        schema = json.loads(written)
    except ValueError as error:
        raise RuleError(f"this is no JSON: {error}.") from error
    schema = schema.get("schema", schema) if isinstance(schema, dict) else schema
    if not isinstance(schema, dict) or not isinstance(schema.get("fields"), list):
        raise RuleError("a Table Schema has a list “fields”.")
    for unknown in UNKNOWN:
        if schema.get(unknown):
            raise RuleError(f"“{unknown}” is not looked at here; leave it out.")
    key = _names(schema.get("primaryKey", []), "primaryKey")
    rules = tuple(_field(field, key) for field in schema["fields"])
    missing = _names(schema.get("missingValues", [""]), "missingValues")
    return checked(Rules(rules, key if len(key) > 1 else (), missing))


def _names(found: Any, key: str) -> tuple[str, ...]:
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RuleError(f"“{key}” is a list of texts.")
    return tuple(names)


def _field(field: Any, key: tuple[str, ...]) -> Rule:
    if not isinstance(field, dict) or not isinstance(field.get("name"), str):
        raise RuleError("each of the “fields” has a “name”.")
    name = field["name"]
    for unknown in UNKNOWN_OF_FIELDS:
        if unknown in field:
            raise RuleError(f"“{unknown}” of “{name}” is not looked at here; leave it out.")
    kind, form, pattern = _kind(name, field)
    said = field.get("constraints", {})
    if not isinstance(said, dict):
        raise RuleError(f"the “constraints” of “{name}” are an object.")
    for unknown in sorted(set(said) - CONSTRAINTS):
        known = ", ".join(sorted(CONSTRAINTS))
        raise RuleError(f"“{unknown}” of “{name}” is not known; there are {known}.")
    try:
        return Rule(
            name,
            kind,
            form,
            required=bool(said.get("required")) or name in key,
            unique=bool(said.get("unique")) or key == (name,),
            least=_text(said.get("minimum")),
            most=_text(said.get("maximum")),
            shortest=_count(said.get("minLength")),
            longest=_count(said.get("maxLength")),
            pattern=_text(said.get("pattern")) or pattern,
            values=tuple(_text(value) for value in said.get("enum", [])),
        )
    except TypeError as error:
        raise RuleError(f"the “constraints” of “{name}” do not fit.") from error


def _kind(name: str, field: Mapping[str, Any]) -> tuple[Kind, str, str]:
    """Return a field's kind, how its days or moments are written, the pattern of its texts."""
    said, form = field.get("type", "any"), field.get("format", "default")
    said = "integer" if said == "year" else said
    if said not in KINDS:
        known = "string, integer, number, boolean, date, datetime, time, year, any"
        raise RuleError(f"the type “{said}” of “{name}” is not known; there are {known}.")
    kind = KINDS[said]
    if form in {"default", "any"}:
        return kind, "", ""
    if kind in FORMED:
        return kind, str(form), ""
    if kind != "text" or form not in FORMATS:
        raise RuleError(f"the format “{form}” of “{name}” is not looked at here; leave it out.")
    return kind, "", FORMATS[form]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError


def _count(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and 0 <= value < 10**9):
        return value
    raise TypeError
