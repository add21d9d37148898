"""Many stored files on their way out as one ZIP, made while it is sent."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from zipstream import ZipStream

from uploads.errors import RequestError
from uploads.names import cleaned_name, cleaned_path
from uploads.pages.serve import READ_BYTES, Span, guard, ranged


@dataclass(frozen=True)
class ZipEntry:
    """One file of a ZIP: where its bytes are, its name (folders allowed) and what it weighs."""

    path: Path
    name: str
    size: int
    sha256: str


async def zip_response(
    request: HttpRequest, entries: Sequence[ZipEntry], name: str
) -> HttpResponseBase:
    """Return the files as one ZIP made while it is sent: stored, of known length, no copy on disk.

    A range is served too: the bytes before it are made and thrown away, so a broken
    download goes on. Names are cleaned and made unique. RequestError `file_gone` when a file is.
    """
    archive = await asyncio.to_thread(_archive, entries)
    digest = sha256("\n".join(f"{e.name} {e.size} {e.sha256}" for e in entries).encode())
    response = ranged(
        request,
        size=len(archive),
        etag=digest.hexdigest(),
        modified=0,
        pieces=lambda span: _zip_pieces(archive, span),
    )
    guard(response, name=name, media_type="application/zip", disposition="")
    return response


def _archive(entries: Sequence[ZipEntry]) -> ZipStream:
    """Return the ZIP to come; its bytes follow from the entries alone, so ranges fit together."""
    archive = ZipStream(sized=True)
    taken: dict[str, int] = {}
    for entry in entries:
        try:
            archive.add_path(entry.path, _unique(entry.name, taken), recurse=False)
        except FileNotFoundError:
            raise RequestError("file_gone", name=entry.name) from None
    return archive


def _unique(name: str, taken: dict[str, int]) -> str:
    """Return the cleaned name, numbered when it is taken, also by another spelling of its case."""
    cleaned = cleaned_path(name) or cleaned_name(name)
    stem, dot, ending = cleaned.rpartition(".")
    if not stem or "/" in ending:
        stem, dot, ending = cleaned, "", ""
    candidate, count = cleaned, taken.get(cleaned.casefold(), 1)
    while candidate.casefold() in taken:
        count += 1
        candidate = f"{stem} ({count}){dot}{ending}"
    taken[cleaned.casefold()] = count
    taken.setdefault(candidate.casefold(), 1)
    return candidate


async def _zip_pieces(archive: ZipStream, span: Span) -> AsyncIterator[bytes]:
    made = iter(archive)
    position = 0
    while position < span.end:
        piece = await asyncio.to_thread(_next_pieces, made)
        start, end = max(span.start - position, 0), span.end - position
        position += len(piece)
        if start < len(piece):
            yield piece[start:end]


def _next_pieces(made: Iterator[bytes]) -> bytes:
    """Return some of the ZIP's small pieces at once, for fewer hops between threads."""
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < READ_BYTES and (piece := next(made, b"")):
        pieces.append(piece)
    return b"".join(pieces)
