"""What a socket and a page say to each other, as JSON text; knows no rows and no sockets.

The server sends `patch` and `snap` (see `uploads.models.feed`) and `bye`; a client
sends only `{"ack": SEQ}`. Commands are forms, never messages.
"""

import json
from enum import IntEnum
from typing import Any

MOST_BYTES = 64 * 1024


class Close(IntEnum):
    """Why a socket was closed; 4401 and 4404 tell the page not to come back by itself.

    Applications may use 4000 to 4999 only (RFC 6455 7.4.2); these follow HTTP's numbers.
    """

    BAD_MESSAGE = 4400
    NOT_SIGNED_IN = 4401
    NOT_FOUND = 4404
    SILENT = 4408
    TOO_LARGE = 4413
    TOO_MANY = 4429
    AWAY = 4503


class Refused(Exception):  # noqa: N818 - the client's fault, not ours
    """A client's message that breaks the rules; `code` closes its socket."""

    def __init__(self, code: Close) -> None:
        self.code = code
        super().__init__(code.name)


def encode(message: dict[str, Any]) -> str:
    """Return the message as compact JSON."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def bye(why: str, retry_ms: int | None = None) -> str:
    """Return the last message of a socket; without `retry_ms` the page need not try again."""
    return encode({"t": "bye", "why": why, "retry_ms": retry_ms})


def read_ack(text: str | None, sent: int) -> int:
    """Return the number that a client has seen; raises `Refused` for anything else."""
    if text is None or len(text) > MOST_BYTES:
        raise Refused(Close.TOO_LARGE)
    try:
        seq = json.loads(text)["ack"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refused(Close.BAD_MESSAGE) from None
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= sent:
        raise Refused(Close.BAD_MESSAGE)
    return seq
