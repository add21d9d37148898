"""Options in words: each with its label, its choice's name and its unit."""

from collections.abc import Mapping
from typing import Any

from uploads.errors import RequestError
from uploads.models import Connection
from uploads.operations.options import fields_of
from uploads.operations.registry import find


def option_words(operation: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and value of each option; bare names of an operation that is gone."""
    try:
        known = {field.name: field for field in fields_of(find(operation).options)}
    except RequestError:
        known = {}
    words = []
    for name, value in in_order(operation, values).items():
        field = known.get(name)
        if field and field.type == "connection":
            value = Connection.objects.filter(key=value).values_list("name", flat=True).first()
        text = _in_words(dict(field.choices).get(str(value), value) if field else value)
        unit = f" {field.unit}" if field and field.unit and text != "—" else ""
        words.append((field.label if field else name, f"{text}{unit}"))
    return words


def in_order(operation: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in the order in which their operation has them; PostgreSQL keeps none."""
    try:
        known = [field.name for field in fields_of(find(operation).options)]
    except RequestError:
        return dict(values)
    rest = [name for name in values if name not in known]
    return {name: values[name] for name in [*known, *rest] if name in values}


def own_words(operation: str, values: Mapping[str, Any]) -> str:
    """Return what a file has of its own on one line: `Own options: Quality 60, Format PNG`."""
    said = ", ".join(f"{label} {text}" for label, text in option_words(operation, values))
    return f"Own options: {said}" if said else ""


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or "—"
    return str(value) if value not in {None, ""} else "—"
