"""The one thing outside that a step may reach: a database with its limits; it opens nothing."""

import dataclasses
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from uploads.errors import StepError

Kind = Literal["postgresql", "mysql", "sqlite"]


@dataclass(frozen=True)
class Outside:
    """A registered connection as the child gets it; `database` is a path where `kind` is SQLite.

    `addresses` are those of the host, looked up before the child was shut in. The secret is
    never shown by `repr`.
    """

    name: str
    kind: Kind
    host: str = ""
    port: int = 0
    database: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["off", "prefer", "require", "verify"] = "prefer"
    ca: str = field(default="", repr=False)
    max_seconds: float = 900
    max_rows: int = 50_000_000
    max_bytes: int = 10 * 1024**3
    addresses: tuple[str, ...] = ()


def found(request: Mapping[str, Any]) -> Outside | None:
    """Return what the request lets its child reach, with the host's addresses; None for nothing.

    Raises `StepError` (`db_unreachable`).
    """
    values = request.get("outside")
    if not values:
        return None
    outside = Outside(**values)
    if not outside.host:
        return outside
    try:
        known = socket.getaddrinfo(outside.host, outside.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise StepError(
            "db_unreachable", connection=outside.name, reason="its host's name is not known here."
        ) from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in known))
    return dataclasses.replace(outside, addresses=addresses)
