"""Operations: what can be done to files. No Django, no rows, no queue."""

from uploads.errors import Cancelled, InputError, StepError
from uploads.operations.base import (
    Context,
    Operation,
    Output,
    Part,
    PartResult,
    Preset,
    Source,
    operation,
)
from uploads.operations.limits import Limits
from uploads.operations.options import option, upload_option

__all__ = [
    "Cancelled",
    "Context",
    "InputError",
    "Limits",
    "Operation",
    "Output",
    "Part",
    "PartResult",
    "Preset",
    "Source",
    "StepError",
    "operation",
    "option",
    "upload_option",
]
