"""Overrides: options that one file has of its own, beside those of its job."""

from collections.abc import Mapping, Sequence
from typing import Any

from uploads.errors import RequestError
from uploads.models import Upload
from uploads.operations import Operation
from uploads.operations.options import canonical, fields_of, parse_options

Options = Mapping[str, Any]


def own_options(
    operation: Operation[Any],
    options: Options,
    overrides: Mapping[str, Options],
    uploads: Sequence[Upload],
) -> dict[int, dict[str, Any]]:
    """Return for each upload (by pk) what it has otherwise than the job's canonical `options`.

    Raises `RequestError` with the file's name: what an operation refuses, a file that the job
    does not have, an operation that works on all files together.
    """
    if not overrides:
        return {}
    if operation.takes != "each":
        reason = f"“{operation.label}” takes all files together; none can have options of its own."
        raise RequestError("bad_request", reason=reason)
    known = {upload.key: upload for upload in uploads}
    found = {}
    for key, values in overrides.items():
        if key not in known:
            raise RequestError("upload_missing", upload=key)
        if own := differing(operation, options, values, known[key].name):
            found[known[key].pk] = own
    return found


def differing(
    operation: Operation[Any], options: Options, values: Options, name: str
) -> dict[str, Any]:
    """Return of these values those that are not the job's; raises as `checked` does."""
    full = checked(operation, options, values, name)
    return {option: value for option, value in full.items() if value != options.get(option)}


def checked(
    operation: Operation[Any], options: Options, values: Options, name: str
) -> dict[str, Any]:
    """Return values beside the job's canonical `options`, canonical as well.

    Raises `RequestError` with `name` before the reason.
    """
    for described in fields_of(operation.options):
        if described.type == "upload" and described.name in values:
            reason = f"{name}: {described.label} is the same for all files."
            raise RequestError("invalid_options", reason=reason, field=described.name)
    try:
        full = canonical(parse_options(operation.options, {**options, **values}))
    except RequestError as refusal:
        if refusal.code != "invalid_options":
            raise
        told = {**refusal.values, "reason": f"{name}: {refusal.values['reason']}"}
        raise RequestError("invalid_options", **told) from None
    return {option: full[option] for option in values}
