"""The OpenAPI 3.1 document, built from the doors themselves."""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from uploads.pages.api.door import Door, Verb
from uploads.pages.api.schemas import SCHEMAS, ref

PREFIX = "/api/v1/"
PARAMETER = re.compile(r"<str:(\w+)>")
REFUSALS = {
    "400": "The request can't be served as it is.",
    "401": "Not signed in.",
    "403": "You may not do this.",
    "404": "Not there, or not yours.",
    "405": "Another method is needed.",
}


def document(doors: Iterable[Door]) -> dict[str, Any]:
    """Return the description of these doors, for the answer and for tests."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidemill",
            "version": _version(),
            "description": "Files go up through tus 1.0.0 at /files/; the rest is here.",
        },
        "security": [{"token": []}, {"session": []}],
        "paths": {PREFIX + PARAMETER.sub(r"{\1}", door.path): _path(door) for door in doors},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
            },
        },
    }


def _version() -> str:
    try:
        return version("tidemill")
    except PackageNotFoundError:  # run from a checkout
        return "0"


def _path(door: Door) -> dict[str, Any]:
    parts = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PARAMETER.findall(door.path)
    ]
    path: dict[str, Any] = {
        method.lower(): _operation(door, method, verb) for method, verb in door.verbs.items()
    }
    return {"parameters": parts, **path} if parts else path


def _operation(door: Door, method: str, verb: Verb) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": f"{method.lower()}-{door.name}",
        "summary": verb.summary,
        "responses": {str(verb.status): _answer(verb), **_refusals(verb)},
    }
    if door.public:
        made["security"] = []
    parameters = [
        {"name": name, "in": "query", "schema": shape} for name, shape in verb.query.items()
    ]
    if verb.status == 201:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "schema": {"type": "string", "maxLength": 200},
                "description": "Sent again with the same key, the first job is answered.",
            }
        )
    if parameters:
        made["parameters"] = parameters
    if verb.body:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": verb.body}},
        }
    return made


def _answer(verb: Verb) -> dict[str, Any]:
    made: dict[str, Any] = {"description": verb.summary}
    if verb.status != 204:
        made["content"] = {verb.media_type: {"schema": verb.answers or {}}}
    return made


def _refusals(verb: Verb) -> dict[str, Any]:
    content = {"application/json": {"schema": ref("Error")}}
    shown = dict(REFUSALS)
    if verb.body:
        shown["413"] = "The body or a file is too large."
        shown["429"] = "Too many unfinished jobs."
    if verb.status == 204 or (verb.answers == ref("Job") and verb.status == 200):
        shown["409"] = "Not possible in the present state."
    return {
        status: {"description": words, "content": content}
        for status, words in sorted(shown.items())
    }
