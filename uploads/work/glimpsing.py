"""Glimpsing: have a confined child read the beginning of uploaded tables, and keep what it saw.

A web process never reads what people send: it starts a program of its own for that.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from uploads.conf import conf
from uploads.errors import TidemillError, sentence
from uploads.models import Glimpse, Upload
from uploads.operations.registry import find
from uploads.operations.tables_heading import unique
from uploads.storage import store
from uploads.work.bounds import Bounds, operation_limits
from uploads.work.sandbox import run_child
from uploads.work.supervise import python

LOOKS = "data.query"
SECONDS, START_SECONDS = 30.0, 15.0
MOST_TABLES, MOST_COLUMNS = 50, 300
MOST_BYTES = 64 * 1024**2
# What is cut at the end of a line stays a table; of the others a part says nothing.
PARQUET = "application/vnd.apache.parquet"  # says its columns itself, however long it is
BY_LINES = {"text/csv", "text/tab-separated-values", "application/x-ndjson"}
TOO_LARGE = "It is too large to look into; its columns are known once it is asked."


@dataclass(frozen=True)
class Seen:
    """One file's tables with their columns, or why they are not known; `looking` while a program does."""

    upload: Upload
    tables: list[tuple[str, list[list[str]]]]
    trouble: str
    looking: bool


def glimpse_elsewhere(uploads: Sequence[Upload]) -> None:
    """Let a program look into those that nobody has looked into; the rows say what it saw."""
    new = [upload for upload in uploads if Glimpse.begin(upload)]
    if not new:
        return
    keys = [upload.key for upload in new]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(
            python(str(settings.BASE_DIR / "manage.py"), "glimpse", *keys),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS + START_SECONDS,
            check=False,
        )


def tables_of(uploads: Sequence[Upload]) -> list[Seen]:
    """Return what is known of each file, its tables called as a question to all of them calls them."""
    known = {made.upload_id: made for made in Glimpse.objects.filter(upload__in=uploads)}
    made = [known.get(upload.pk) or Glimpse(upload=upload) for upload in uploads]
    names = unique([one.called for one in made])
    return [
        Seen(upload, one.as_called(name), one.trouble, looking=one.ended_at is None)
        for upload, one, name in zip(uploads, made, names, strict=True)
    ]


def glimpse(uploads: Sequence[Upload]) -> None:
    """Look into files and keep what was seen of each; main thread only."""
    with tempfile.TemporaryDirectory(prefix="look-", dir=store.scratch()) as folder:
        inputs, out = Path(folder) / "in", Path(folder) / "out"
        inputs.mkdir()
        out.mkdir()
        parts = {upload: _beginning(upload, inputs / upload.key) for upload in uploads}
        small = {upload: part for upload, part in parts.items() if part is not None}
        try:
            found = _seen(small, inputs, out) if small else []
        except TidemillError as error:
            found = [{"called": "", "tables": [], "trouble": str(error)} for _ in small]
    for upload in parts.keys() - small.keys():
        _keep(upload, {"called": "", "tables": [], "trouble": TOO_LARGE})
    for upload, seen in zip(small, found, strict=True):
        _keep(upload, seen)


def _keep(upload: Upload, seen: dict[str, Any]) -> None:
    tables = [[name, columns[:MOST_COLUMNS]] for name, columns in seen["tables"][:MOST_TABLES]]
    Glimpse.objects.filter(upload=upload).update(
        called=seen["called"],
        tables=tables,
        trouble=seen["trouble"][:500],
        ended_at=timezone.now(),
    )


def _beginning(upload: Upload, target: Path) -> Path | None:
    """Put a file, or the whole lines at its beginning, where the child may read it; None if it can't be."""
    most = conf.LOOK_BYTES
    if upload.length <= most or upload.media_type == PARQUET:
        store.fetch(upload.storage_key, target)
        return target
    if upload.media_type not in BY_LINES:
        return None
    with store.path(upload.storage_key).open("rb") as file:
        piece = file.read(most)
    target.write_bytes(piece[: _end_of_line(piece)])
    return target


def _end_of_line(piece: bytes) -> int:
    """Return where the last whole line ends; in UTF-16 a line's end has two bytes."""
    for mark, end in ((b"\xff\xfe", b"\n\0"), (b"\xfe\xff", b"\0\n")):
        if piece.startswith(mark):
            at = piece.rfind(end)
            while at % 2 and at > 0:
                at = piece.rfind(end, 0, at + 1)
            return at + 2 if at > 0 else len(piece)
    return piece.rfind(b"\n") + 1 or len(piece)


def _seen(files: dict[Upload, Path], inputs: Path, out: Path) -> list[dict[str, Any]]:
    operation = find(LOOKS)
    bounds = Bounds(inputs, out, operation.memory_bytes, SECONDS, 4 * conf.LOOK_BYTES + MOST_BYTES)
    request = {
        "module": operation.module,
        "operation": operation.name,
        "call": "look",
        "options": {"sql": "FROM data"},
        "files": {},
        "limits": vars(operation_limits()),
        "items": [
            {
                "key": 0,
                "name": "files",
                "media_type": "",
                "paths": [str(path) for path in files.values()],
                "sources": [
                    {"name": upload.name, "media_type": upload.media_type} for upload in files
                ],
            }
        ],
    }
    said: list[dict[str, Any]] = []
    ended = run_child(request, bounds, on_message=said.append, tick=lambda: None)
    for message in said:
        if message["t"] == "output":
            found: list[dict[str, Any]] = json.loads(Path(message["path"]).read_text())
            return found
    fault = next((message for message in said if message["t"] == "error"), None)
    code, values = (fault["code"], fault["values"]) if fault else (ended.code, ended.values)
    trouble = sentence(code, {"name": "It", **values})
    return [{"called": "", "tables": [], "trouble": trouble} for _ in files]
