"""The headers of tus 1.0.0, read and written; knows no rows and no files."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from uploads.errors import RequestError

VERSION: Final = "1.0.0"
PIECE_TYPE: Final = "application/offset+octet-stream"
EXTENSIONS: Final = "creation,creation-with-upload,expiration,termination,checksum"
CHECKSUMS: Final = ("sha1", "sha256", "md5")
METADATA_MAX_BYTES: Final = 4096
LENGTH_MAX_DIGITS: Final = 18


@dataclass(frozen=True)
class Checksum:
    """What a piece must add up to (tus: checksum)."""

    algorithm: str
    digest: bytes

    def start(self) -> Any:
        """Return a fresh hash of the algorithm."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def check_version(request: HttpRequest) -> None:
    """Refuse another protocol version than ours with `tus_version`."""
    if request.headers.get("Tus-Resumable") != VERSION:
        raise RequestError("tus_version")


def number(request: HttpRequest, name: str) -> int:
    """Return a header that must be a plain number; `bad_request` when it is not."""
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit()):
        raise RequestError("bad_request", reason=f"{name} must be a number.")
    # Larger than any limit in either case, and too large for the database.
    return int(text) if len(text) <= LENGTH_MAX_DIGITS else 10**LENGTH_MAX_DIGITS


def metadata(text: str) -> dict[str, str]:
    """Return Upload-Metadata as names and values; an empty header is valid (tuspy sends it)."""
    if len(text.encode()) > METADATA_MAX_BYTES:
        raise RequestError("bad_request", reason="Upload-Metadata is longer than 4 KiB.")
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition(" ")
        if name in pairs:
            raise RequestError("bad_request", reason="Upload-Metadata has a name twice.")
        pairs[name] = _decoded(value.strip(), "Upload-Metadata").decode(errors="replace")
    return pairs


def checksum(request: HttpRequest) -> Checksum | None:
    """Return the checksum that the piece must have, or None when none was sent."""
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, value = text.partition(" ")
    if algorithm not in CHECKSUMS:
        known = ", ".join(CHECKSUMS)
        raise RequestError("bad_request", reason=f"Upload-Checksum must be one of {known}.")
    digest = _decoded(value, "Upload-Checksum")
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise RequestError("bad_request", reason="Upload-Checksum has the wrong length.")
    return Checksum(algorithm, digest)


def set_expires(answer: HttpResponse, moment: datetime | None) -> None:
    """Set Upload-Expires, if the upload expires (tus: expiration)."""
    if moment is not None:
        answer["Upload-Expires"] = http_date(moment.timestamp())


def _decoded(value: str, name: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError("bad_request", reason=f"{name} is not Base64.") from None
