"""Options of an operation: a frozen dataclass, checked, described and made canonical; no Django."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from uploads.errors import RequestError

T = TypeVar("T")
OptionsClass = TypeVar("OptionsClass")
FieldType = Literal[
    "integer", "number", "boolean", "text", "choice", "integers", "upload", "connection"
]


@dataclass(frozen=True)
class OptionField:
    """One option as forms, schemas and command lines need it.

    A `main` one is asked for in plain sight, beside any preset; the others are folded away.
    """

    name: str
    label: str
    help: str
    type: FieldType
    default: Any
    required: bool
    min: float | None = None
    max: float | None = None
    unit: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    max_length: int | None = None
    accepts: tuple[str, ...] = ()
    main: bool = False
    multiline: bool = False
    examples: tuple[tuple[str, str], ...] = ()
    fills: str = ""


def option(
    default: T,
    help: str,
    *,
    label: str = "",
    min: float | None = None,
    max: float | None = None,
    unit: str = "",
    choices: Mapping[str, str] | None = None,
    max_length: int = 200,
    main: bool = False,
    multiline: bool = False,
    examples: Mapping[str, str] | None = None,
    fills: str = "",
) -> T:
    """Declare one option: default, one line of help, bounds (inclusive), unit, words for choices.

    `main` is for what no preset can know, such as the times of a clip. A `multiline` text may
    hold line ends and tabs. `examples` are texts to begin with, by what they are for. `fills`
    names the option with a question whose places (`:day`) this one's lines `day = value` fill.
    """
    metadata = {
        "help": help,
        "label": label,
        "min": min,
        "max": max,
        "unit": unit,
        "choices": dict(choices or {}),
        "max_length": max_length,
        "main": main,
        "multiline": multiline,
        "examples": dict(examples or {}),
        "fills": fills,
    }
    value: T = dataclasses.field(default=default, metadata=metadata)
    return value


def upload_option(
    help: str, *, accepts: Sequence[str], label: str = "", main: bool = False
) -> Path | None:
    """Declare an option that is a file of the owner, such as a watermark's logo; may be left out."""
    metadata = {"help": help, "label": label, "accepts": tuple(accepts), "main": main}
    value: Path | None = dataclasses.field(default=None, metadata=metadata)
    return value


def connection_option(help: str, *, label: str = "") -> str:
    """Declare the option that names a registered connection, by its public key.

    What it leads to is in `step.outside`; its secret is in no options.
    """
    metadata = {"help": help, "label": label, "main": True, "type": "connection", "max_length": 40}
    value: str = dataclasses.field(default="", metadata=metadata)
    return value


def fields_of(options: type) -> tuple[OptionField, ...]:
    """Describe the fields of an options class in their order."""
    hints = get_type_hints(options)
    return tuple(_field(f, hints[f.name]) for f in dataclasses.fields(options))


def _field(declared: "dataclasses.Field[Any]", hint: Any) -> OptionField:
    meta = declared.metadata
    base, optional = _without_none(hint)
    kind, choices = _type_of(base, declared.name)
    kind = meta.get("type", kind)
    words: Mapping[str, str] = meta.get("choices", {})
    return OptionField(
        name=declared.name,
        label=meta.get("label") or declared.name.replace("_", " ").capitalize(),
        help=meta.get("help", ""),
        type=kind,
        default=declared.default,
        required=not optional and kind != "boolean",
        min=meta.get("min"),
        max=meta.get("max"),
        unit=meta.get("unit", ""),
        choices=tuple((value, words.get(value, value)) for value in choices),
        max_length=meta.get("max_length"),
        accepts=meta.get("accepts", ()),
        main=meta.get("main", False),
        multiline=meta.get("multiline", False),
        examples=tuple(meta.get("examples", {}).items()),
        fills=meta.get("fills", ""),
    )


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in {Union, UnionType}:
        rest = [argument for argument in get_args(hint) if argument is not type(None)]
        return rest[0], True
    return hint, False


def _type_of(base: Any, name: str) -> tuple[FieldType, tuple[str, ...]]:
    if get_origin(base) is Literal:
        return "choice", tuple(str(value) for value in get_args(base))
    if get_origin(base) is tuple and get_args(base)[0] is int:
        return "integers", ()
    simple: dict[Any, FieldType] = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "text",
        Path: "upload",
    }
    if base not in simple:
        raise TypeError(f"option {name!r}: {base!r} is not a type that options may have")
    return simple[base], ()


def parse_options(options: type[OptionsClass], values: Mapping[str, Any]) -> OptionsClass:
    """Return a checked options object; unknown names and values out of bounds are refused.

    Raises `RequestError` (`invalid_options`, `unknown_field`) with the option's name in words.
    An `upload` option's value is the upload's key here; the step turns it into a path.
    """
    fields = {f.name: f for f in fields_of(options)}
    for name in values:
        if name not in fields:
            raise RequestError("unknown_field", field=name, known=", ".join(fields) or "none")
    parsed = {name: _value(fields[name], value) for name, value in values.items()}
    return options(**parsed)


def _value(field: OptionField, value: Any) -> Any:
    if value is None or value == "":
        if not field.required and field.type != "boolean":
            return "" if field.type == "text" else None
        if field.type in {"text", "connection"} and field.default == "":
            return ""
        if field.type == "integers":
            return ()
        raise _refuse(field, "a value is missing")
    checks = {
        "boolean": _boolean,
        "integer": _number,
        "number": _number,
        "choice": _choice,
        "integers": _integers,
        "text": _text,
        "upload": _text,
        "connection": _text,
    }
    return checks[field.type](field, value)


def _refuse(field: OptionField, why: str) -> RequestError:
    return RequestError("invalid_options", reason=f"{field.label}: {why}.", field=field.name)


def _boolean(field: OptionField, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        return str(value).lower() in {"true", "1", "yes", "on"}
    raise _refuse(field, "yes or no is expected")


def _number(field: OptionField, value: Any) -> int | float:
    try:
        if isinstance(value, bool):
            raise ValueError
        number = int(str(value)) if field.type == "integer" else float(value)
    except (TypeError, ValueError, OverflowError):
        raise _refuse(field, "a number is expected") from None
    if number != number or (field.min is not None and number < field.min):
        raise _refuse(field, f"at least {field.min:g} is needed")
    if field.max is not None and number > field.max:
        raise _refuse(field, f"at most {field.max:g} is possible")
    return number


def _choice(field: OptionField, value: Any) -> str:
    known = [choice for choice, _ in field.choices]
    if str(value) not in known:
        raise _refuse(field, f"one of {', '.join(known)} is expected")
    return str(value)


def _integers(field: OptionField, value: Any) -> tuple[int, ...]:
    items = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise _refuse(field, "numbers with commas between them are expected")
    if len(items) > 12:
        raise _refuse(field, "at most 12 numbers are possible")
    single = dataclasses.replace(field, type="integer")
    return tuple(int(_number(single, item)) for item in items)


def _text(field: OptionField, value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse(field, "text is expected")
    if field.multiline:
        value = value.replace("\r\n", "\n")
    if field.max_length is not None and len(value) > field.max_length:
        raise _refuse(field, f"at most {field.max_length} characters are possible")
    plain = set("\n\t") if field.multiline else set()
    if any(ord(character) < 32 for character in set(value) - plain):
        raise _refuse(field, "control characters are not possible")
    return str(value)


def canonical(options: object) -> dict[str, Any]:
    """Return the options as JSON values with every field, in the class's order."""
    values = dataclasses.asdict(options) if dataclasses.is_dataclass(options) else {}  # type: ignore[arg-type]
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def schema(options: type) -> dict[str, Any]:
    """Return the JSON schema (2020-12) of an options class."""
    properties = {f.name: _property(f) for f in fields_of(options)}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _property(field: OptionField) -> dict[str, Any]:
    types: dict[FieldType, dict[str, Any]] = {
        "integer": {"type": "integer"},
        "number": {"type": "number"},
        "boolean": {"type": "boolean"},
        "text": {"type": "string"},
        "choice": {"type": "string", "enum": [value for value, _ in field.choices]},
        "integers": {"type": "array", "items": {"type": "integer"}, "maxItems": 12},
        "upload": {"type": ["string", "null"], "format": "upload-id"},
        "connection": {"type": "string", "format": "connection-id"},
    }
    made = dict(types[field.type])
    target = made["items"] if field.type == "integers" else made
    if field.min is not None:
        target["minimum"] = field.min
    if field.max is not None:
        target["maximum"] = field.max
    if field.type == "text" and field.max_length is not None:
        made["maxLength"] = field.max_length
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return {**made, "title": field.label, "description": field.help, "default": default}
