"""The one request with a body of its own: a new job; checked field by field, nothing unknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest

from uploads.errors import RequestError
from uploads.models import SavedPreset
from uploads.naming import PLACEHOLDERS
from uploads.pages.api.door import Schema, json_body
from uploads.work.presets import find_preset, requested
from uploads.work.submit import JobRequest, StageRequest

IDEMPOTENCY_CHARACTERS = 200

_OPTIONS: Schema = {
    "type": "object",
    "description": "As `operations/NAME/` describes; left out: the defaults.",
}
_PLACES = ", ".join(f"`{{{word}}}` {meaning}" for word, meaning in PLACEHOLDERS.items())
STAGE: Schema = {
    "type": "object",
    "properties": {"operation": {"type": "string"}, "options": _OPTIONS},
    "required": ["operation"],
    "additionalProperties": False,
}
JOB_BODY: Schema = {
    "type": "object",
    "properties": {
        "operation": {"type": "string", "description": "One operation; or `stages`."},
        "options": _OPTIONS,
        "stages": {
            "type": "array",
            "items": STAGE,
            "minItems": 1,
            "description": "Several operations, each on the results of the one before.",
        },
        "preset": {"type": "string", "description": "The id of a preset of yours; or `stages`."},
        "uploads": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Ids of uploads, arrived or still arriving; none for what takes no files.",
        },
        "name": {"type": "string"},
        "names": {
            "type": "string",
            "description": f"How results are called, such as `{{name}}-{{n:3}}`; {_PLACES}. "
            "Empty: each as its file. Endings and suffixes of several results stay.",
        },
        "overrides": {
            "type": "object",
            "additionalProperties": _OPTIONS,
            "description": "Options of single files by the ids of their uploads; what they don't "
            "name is as for all.",
        },
        "sample": {
            "type": "boolean",
            "default": False,
            "description": "Try the options on some of the files first; the job's `prediction` "
            "then says how long all of them take and how much they make.",
        },
        "anew": {
            "type": "boolean",
            "default": False,
            "description": "Do everything again, also what was done before in the same way.",
        },
        "priority": {"type": "integer", "minimum": -100, "maximum": 100, "default": 0},
        "max_inflight": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "Steps of this job that may run at once; 0: as many as the settings allow.",
        },
        "notify": {
            "type": ["boolean", "string"],
            "description": "true: an e-mail to the account's address when it is done; or an address.",
        },
    },
    "required": ["uploads"],
    "additionalProperties": False,
}
RETRY_BODY: Schema = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Only these, by their `place`; without it all.",
        },
        "options": {**_OPTIONS, "description": "What shall be otherwise this time."},
        "stage": {
            "type": "integer",
            "minimum": 0,
            "description": "Whose options they are; without it the first operation that failed.",
        },
    },
    "additionalProperties": False,
}
KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    list: "a list",
    dict: "an object",
}


def job_request(request: HttpRequest) -> JobRequest:
    """Return the job that the request's body and `Idempotency-Key` ask for."""
    body = json_body(request)
    refuse_unknown(body, JOB_BODY)
    uploads = _field(body, "uploads", list, [])
    if not all(isinstance(key, str) for key in uploads):
        raise RequestError("bad_request", reason="`uploads` must be a list of upload ids.")
    preset = _preset(request, body)
    return JobRequest(
        stages=requested(preset) if preset else _stages(body),
        uploads=uploads,
        name=_field(body, "name", str, ""),
        overrides=_overrides(body),
        sample=_flag(body, "sample"),
        anew=_flag(body, "anew"),
        names=_field(body, "names", str, preset.names if preset else "").strip(),
        priority=_field(body, "priority", int, 0),
        max_inflight=_field(body, "max_inflight", int, 0),
        notify=_address(request, body.get("notify", False)),
        idempotency_key=_idempotency_key(request),
    )


@dataclass(frozen=True)
class RetryRequest:
    """What a script wants done again, and how."""

    places: list[str]
    options: dict[str, Any]
    stage: int | None


def retry_request(request: HttpRequest) -> RetryRequest:
    """Return what the request's body asks to be done again; without a body all that failed."""
    body = json_body(request)
    refuse_unknown(body, RETRY_BODY)
    places = _field(body, "items", list, [])
    if not all(isinstance(place, str) for place in places):
        raise RequestError("bad_request", reason="`items` must be a list of texts.")
    stage = _field(body, "stage", int, 0) if "stage" in body else None
    return RetryRequest(places, _field(body, "options", dict, {}), stage)


def refuse_unknown(body: Mapping[str, Any], shape: Schema) -> None:
    known = shape["properties"]
    for name in body:
        if name not in known:
            raise RequestError("unknown_field", field=name, known=", ".join(known))


def _field(body: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = body.get(name, default)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RequestError("bad_request", reason=f"`{name}` must be {KINDS[kind]}.")
    return value


def _overrides(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = _field(body, "overrides", dict, {})
    if not all(isinstance(options, dict) for options in found.values()):
        raise RequestError("bad_request", reason="each of `overrides` must be an object.")
    return found


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise RequestError("bad_request", reason=f"`{name}` must be true or false.")
    return value


def _preset(request: HttpRequest, body: Mapping[str, Any]) -> SavedPreset | None:
    if "preset" not in body:
        return None
    if {"operation", "options", "stages"} & set(body):
        raise RequestError("bad_request", reason="a `preset` says operations and options itself.")
    return find_preset(request.user, _field(body, "preset", str, ""))


def _stages(body: Mapping[str, Any]) -> list[StageRequest]:
    if ("operation" in body) == ("stages" in body) or ("stages" in body and "options" in body):
        raise RequestError(
            "bad_request", reason="give either `operation` and `options`, or `stages`."
        )
    if "operation" in body:
        return [_stage(body)]
    stages = _field(body, "stages", list, [])
    for stage in stages:
        if not isinstance(stage, dict) or "operation" not in stage:
            raise RequestError("bad_request", reason="each of `stages` needs an `operation`.")
        refuse_unknown(stage, STAGE)
    return [_stage(stage) for stage in stages]


def _stage(body: Mapping[str, Any]) -> StageRequest:
    return StageRequest(_field(body, "operation", str, ""), _field(body, "options", dict, {}))


def _address(request: HttpRequest, wish: Any) -> str:
    if wish is False:
        return ""
    address = getattr(request.user, "email", "") if wish is True else wish
    if wish is True and not address:
        raise RequestError("bad_request", reason="your account has no e-mail address.")
    try:
        validate_email(str(address))
    except ValidationError:
        raise RequestError("bad_request", reason="`notify` is no e-mail address.") from None
    return str(address)


def _idempotency_key(request: HttpRequest) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= IDEMPOTENCY_CHARACTERS:
        raise RequestError(
            "bad_request", reason=f"Idempotency-Key has 1 to {IDEMPOTENCY_CHARACTERS} characters."
        )
    return key
