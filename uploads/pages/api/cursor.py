"""Lists in pieces: `{results, next}` with a cursor that survives inserts and deletions.

A cursor holds the last row's own number, sealed: nobody can read from it how
many rows there are, or make one up.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, JsonResponse
from django.utils.crypto import constant_time_compare, salted_hmac

from uploads.errors import RequestError
from uploads.pages.api.door import answer

Row = TypeVar("Row", bound=Model)
SALT = "uploads.pages.api.cursor"
NONCE_BYTES, NUMBER_BYTES, TAG_BYTES = 6, 8, 6
DEFAULT_LIMIT, LARGEST_LIMIT = 50, 200

QUERY: dict[str, dict[str, Any]] = {
    "after": {"type": "string", "description": "`next` of the piece before."},
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": LARGEST_LIMIT,
        "default": DEFAULT_LIMIT,
        "description": "Rows of one piece.",
    },
}


def seal(number: int) -> str:
    """Return a cursor that holds the number, unreadable and tamper-proof."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    hidden = _mask(nonce, number.to_bytes(NUMBER_BYTES, "big"))
    return base64.urlsafe_b64encode(nonce + hidden + _tag(nonce + hidden)).decode().rstrip("=")


def unseal(cursor: str) -> int:
    """Return the number of a cursor; raises `RequestError` for any other text."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (ValueError, binascii.Error):
        raw = b""
    body, tag = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
    if len(body) != NONCE_BYTES + NUMBER_BYTES or not constant_time_compare(tag, _tag(body)):
        raise RequestError("bad_request", reason="`after` is not a cursor of this list.")
    return int.from_bytes(_mask(body[:NONCE_BYTES], body[NONCE_BYTES:]), "big")


def _mask(nonce: bytes, number: bytes) -> bytes:
    pad = salted_hmac(SALT, nonce, algorithm="sha256").digest()
    return bytes(a ^ b for a, b in zip(number, pad, strict=False))


def _tag(body: bytes) -> bytes:
    return salted_hmac(f"{SALT}.tag", body, algorithm="sha256").digest()[:TAG_BYTES]


def piece(
    request: HttpRequest,
    rows: QuerySet[Row],
    shown: Callable[[Sequence[Row]], list[dict[str, Any]]],
    *,
    newest_first: bool = True,
) -> JsonResponse:
    """Return one piece of a list, `next` being the address of the following one or null."""
    limit = _limit(request.GET.get("limit"))
    if (after := request.GET.get("after")) is not None:
        number = unseal(after)
        rows = rows.filter(pk__lt=number) if newest_first else rows.filter(pk__gt=number)
    found = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return answer({"results": shown(found), "next": _next(request, found[-1].pk) if more else None})


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    short = text.isascii() and text.isdigit() and len(text) < 10
    if not (short and 1 <= int(text) <= LARGEST_LIMIT):
        raise RequestError("bad_request", reason=f"`limit` goes from 1 to {LARGEST_LIMIT}.")
    return int(text)


def _next(request: HttpRequest, last: int) -> str:
    query = request.GET.copy()
    query["after"] = seal(last)
    return f"{request.path}?{query.urlencode()}"
