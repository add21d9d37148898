"""Point this process's Django at another database, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from pytest import MonkeyPatch

from project.settings import _database


def described(url: str, path: Path | None = None) -> dict[str, Any]:
    """Return Django's description of a DATABASE_URL, or of the SQLite file at `path`."""
    with MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        made = _database()
    if path is not None:
        made["NAME"] = path
    full: dict[str, Any] = connections.configure_settings({"default": made})["default"]
    return full


@contextmanager
def using(database: dict[str, Any]) -> Iterator[None]:
    """Use a database as `default` in every thread; its connections are closed at the end."""
    before, described_before = connections["default"], connections.settings["default"]
    connections.settings["default"] = database
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = described_before
        connections["default"] = before
