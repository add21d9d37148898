"""A script's view of the API in tests, and a check of answers against their JSON schema."""

from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client

from uploads.models import Token


def make_person(name: str = "alice", **more: Any) -> User:
    """Return a user without a password, for a hash costs a third of a second."""
    return User.objects.create(username=name, email=f"{name}@example.org", **more)


class Api:
    """Calls the API as a script does: one token, JSON in and out; no session, no CSRF."""

    def __init__(self, owner: User | None) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.headers = {}
        if owner is not None:
            self.headers["Authorization"] = f"Bearer {Token.issue(owner, 'test')[1]}"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        address = path if path.startswith("/") else f"/api/v1/{path}"
        return self.client.generic(
            method,
            address,
            b"" if body is None else _encoded(body),
            content_type="application/json",
            headers={**self.headers, **headers},
        )

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == status, answer.content
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        answer = self.call("POST", path, body, **headers)
        assert answer.status_code == status, answer.content
        return answer.json()


def body_of(answer: Any) -> bytes:
    """Return the whole body of an answer that is streamed, and let its file go."""

    async def read() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    body: bytes = async_to_sync(read)()
    for close in answer._resource_closers:  # answer.close() would end the connection too
        close()
    return body


def _encoded(body: Any) -> bytes:
    import json

    return body if isinstance(body, bytes) else json.dumps(body).encode()


KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(value: Any, schema: dict[str, Any], known: dict[str, Any], at: str = "") -> list[str]:
    """Return where a value differs from its schema; only the keywords that we write are known."""
    unknown = set(schema) - {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "anyOf"),
        *("$ref", "minimum", "maximum", "format", "description", "default", "minItems"),
    }
    assert not unknown, f"the check does not know {unknown}"
    if "$ref" in schema:
        return faults(value, known[schema["$ref"].rpartition("/")[2]], known, at)
    if "anyOf" in schema:
        tried = [faults(value, choice, known, at) for choice in schema["anyOf"]]
        return [] if any(not found for found in tried) else min(tried, key=len)
    if not _is_kind(value, schema.get("type")):
        return [f"{at}: {value!r} is no {schema['type']}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{at}: {value!r} is too small")
    if "maximum" in schema and value > schema["maximum"]:
        found.append(f"{at}: {value!r} is too large")
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            found += faults(item, schema["items"], known, f"{at}[{number}]")
    return found + (_object_faults(value, schema, known, at) if isinstance(value, dict) else [])


def _is_kind(value: Any, kind: Any) -> bool:
    if kind is None:
        return True
    kinds = [kind] if isinstance(kind, str) else kind
    if isinstance(value, bool):
        return "boolean" in kinds
    return any(isinstance(value, KINDS[name]) for name in kinds)


def _object_faults(
    value: dict[str, Any], schema: dict[str, Any], known: dict[str, Any], at: str
) -> list[str]:
    properties = schema.get("properties", {})
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    extra = schema.get("additionalProperties", True)
    for name, inner in value.items():
        if name in properties:
            found += faults(inner, properties[name], known, f"{at}.{name}")
        elif extra is False:
            found.append(f"{at}: {name} is not described")
        elif isinstance(extra, dict):
            found += faults(inner, extra, known, f"{at}.{name}")
    return found
