"""Which preset a set of options is; knows no rows."""

from collections.abc import Mapping
from typing import Any

from uploads.operations.base import Operation
from uploads.operations.options import canonical, fields_of, parse_options

OWN = "own"


def preset_of(operation: Operation[Any], options: Mapping[str, Any]) -> str:
    """Return the name of the preset whose options these are, or `own`.

    What no preset can know, the main options, does not count.
    """
    asked = {described.name for described in fields_of(operation.options) if described.main}
    for preset in operation.presets:
        full = canonical(parse_options(operation.options, preset.options))
        if all(options.get(name) == value for name, value in full.items() if name not in asked):
            return preset.name
    return OWN
