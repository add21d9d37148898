"""Options that single files have of their own, on the new-job page: its form's fields, its rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from uploads.errors import RequestError
from uploads.pages.files import FileRow
from uploads.pages.forms import shown_value
from uploads.pages.option_words import in_order, own_words

FIELD = "own:"  # then the upload's key; the value is a JSON object

Own = Mapping[str, Mapping[str, Any]]


def sent_own(data: Any) -> dict[str, dict[str, Any]]:
    """Return what a posted form says of single files, by their uploads' keys.

    Raises `RequestError` (`bad_request`) for what is no JSON object.
    """
    return {
        name.removeprefix(FIELD): _object(data[name]) for name in data if name.startswith(FIELD)
    }


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RequestError("bad_request", reason="the options of a file are no JSON object.")
    return found


def with_own(rows: Sequence[FileRow], operation: str, own: Own) -> list[FileRow]:
    """Return the rows with what their files have of their own for this operation."""
    return [_with_own(row, operation, own.get(row.upload.key, {})) for row in rows]


def _with_own(row: FileRow, operation: str, options: Mapping[str, Any]) -> FileRow:
    if not options:
        return row
    ordered = in_order(operation, options)
    shown = {name: shown_value(value) for name, value in ordered.items()}
    words = own_words(operation, options)
    facts = {"operation": operation, "options": shown, "words": words}
    return replace(row, own=json.dumps(facts), own_options=json.dumps(shown), own_words=words)
