"""Which operations there are: the modules of this package and those that others install."""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from uploads.errors import RequestError
from uploads.operations.base import Operation, registered

BUILT_IN = (
    "uploads.operations.image",
    "uploads.operations.sheet",
    "uploads.operations.watermark",
    "uploads.operations.video",
    "uploads.operations.hls",
    "uploads.operations.clip",
    "uploads.operations.audio",
    "uploads.operations.poster",
    "uploads.operations.profile",
    "uploads.operations.query",
    "uploads.operations.db",
    "uploads.operations.data",
    "uploads.operations.pdf_pages",
    "uploads.operations.pdf_merge",
    "uploads.operations.pdf_split",
    "uploads.operations.pdf_compress",
    "uploads.operations.pdf_text",
    "uploads.operations.mail",
    "uploads.operations.archive",
    "uploads.operations.checksums",
    "uploads.operations.inspect",
)
ENTRY_POINTS = "tidemill.operations"


@cache
def operations() -> dict[str, Operation[Any]]:
    """Return every operation by name; imports the modules once."""
    for module in BUILT_IN:
        import_module(module)
    for point in entry_points(group=ENTRY_POINTS):
        point.load()
    return dict(sorted(registered().items()))


def find(name: str) -> Operation[Any]:
    """Return the operation of this name; raises `RequestError` (`unknown_operation`)."""
    known = operations()
    if name not in known:
        raise RequestError("unknown_operation", operation=name, known=", ".join(known))
    return known[name]


def fitting(media_type: str) -> list[Operation[Any]]:
    """Return the operations that take a file of this media type."""
    return [made for made in operations().values() if made.accepts_type(media_type)]
