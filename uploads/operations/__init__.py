"""Operations: what can be done to files. No Django, no rows, no queue."""

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
    "Context",
    "Limits",
    "Operation",
    "Output",
    "Part",
    "PartResult",
    "Preset",
    "Source",
    "operation",
    "option",
    "upload_option",
]
