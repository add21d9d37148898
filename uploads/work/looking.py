"""Looking: try a connection in a confined child, and keep in its row what was seen, in words.

A web process never talks to a database outside: it starts a program of its own for that.
"""

import json
import subprocess
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from uploads.errors import InputError, TidemillError, sentence
from uploads.models import Connection
from uploads.operations.registry import find
from uploads.storage import store
from uploads.work.bounds import Bounds, operation_limits
from uploads.work.outside import as_request, hidden, outside_of, walls
from uploads.work.sandbox import run_child
from uploads.work.supervise import python

ASKS = "db.query"
SECONDS = 20.0
START_SECONDS = 15.0
MOST_BYTES = 4 * 1024**2
MEMORY_BYTES = 2 * 1024**3
FRESH = timedelta(seconds=30)


def look(connection: Connection) -> bool:
    """Look at a database, keep what was seen, and tell whether it can be asked; main thread only.

    What was seen before stays where nothing could be seen.
    """
    connection.looked_at = timezone.now()
    try:
        connection.found = _seen(connection)
        connection.trouble = ""
    except TidemillError as error:
        connection.trouble = str(error)[:500]
    connection.save(update_fields=["looked_at", "found", "trouble"])
    return not connection.trouble


def look_elsewhere(connection: Connection, *, anew: bool = False) -> None:
    """Let a program of its own look, unless one has a moment ago; the row says what came of it."""
    now = timezone.now()
    before = connection.looked_at
    if not anew and before and now - before < FRESH:
        return
    # Of several who ask at once one looks.
    if not Connection.objects.filter(pk=connection.pk, looked_at=before).update(looked_at=now):
        return
    command = python(str(settings.BASE_DIR / "manage.py"), "lookat", connection.key)
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS + START_SECONDS,
            check=False,
        )
    connection.refresh_from_db()


def _seen(connection: Connection) -> dict[str, Any]:
    outside = outside_of(connection)
    operation = find(ASKS)
    said: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="look-", dir=store.scratch()) as folder:
        inputs, out = Path(folder) / "in", Path(folder) / "out"
        inputs.mkdir()
        out.mkdir()
        bounds = Bounds(
            inputs, out, MEMORY_BYTES, SECONDS, MOST_BYTES, operation.profile, **walls(outside)
        )
        request = {
            "module": operation.module,
            "operation": operation.name,
            "call": "look",
            "options": {},
            "files": {},
            "limits": vars(operation_limits()),
            "outside": as_request(outside),
            "items": [{"key": 0, "name": connection.name, "media_type": ""}],
        }
        ended = run_child(request, bounds, on_message=said.append, tick=lambda: None)
        for message in hidden(said, outside):
            if message["t"] == "error":
                raise InputError(message["code"], **message["values"])
            if message["t"] == "output":
                found: dict[str, Any] = json.loads(Path(message["path"]).read_text())
                return found
    values: dict[str, object] = {"name": connection.name, **ended.values}
    raise InputError(
        "db_unreachable", connection=connection.name, reason=sentence(ended.code, values)
    )
