"""The secret key in the data folder, made at the first start; knows no settings."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from uploads.storage import sync_folder


def kept_key(folder: Path) -> str:
    """Return the data folder's key; made once, with the folder's `scratch` at hand."""
    path = folder / "secret_key"
    if not path.exists():
        _make(path)
    return path.read_text().strip()


def _make(path: Path) -> None:
    """Make the key's file, whole or not at all; of several processes the first one's key stays."""
    descriptor, fresh = mkstemp(prefix="secret_key-", dir=path.parent / "scratch")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        Path(fresh).unlink()
    sync_folder(path.parent)
