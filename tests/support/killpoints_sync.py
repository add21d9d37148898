"""What a kill can't show and a power cut would: a name given to bytes, or told to the database, unsynced."""

import os
from pathlib import Path
from typing import Any


class Syncs:
    """Remembers what was synced; `renamed` and `committed` return what is wrong, or ''."""

    def __init__(self) -> None:
        self._files: dict[tuple[int, int], int] = {}
        self._folders: set[str] = set()

    def synced(self, descriptor: int) -> None:
        """Note a sync of a file, with the time of its last change, or of a folder's names."""
        status = os.fstat(descriptor)
        self._files[status.st_dev, status.st_ino] = status.st_mtime_ns
        self._folders.discard(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def renamed(self, source: Any, target: Any) -> str:
        """Judge a file's final name, just before it is given."""
        status = Path(source).stat()
        self._folders.add(str(Path(target).parent.resolve()))
        if self._files.get((status.st_dev, status.st_ino)) == status.st_mtime_ns:
            return ""
        return f"{Path(source).name} gets its final name before it is synced"

    def committed(self) -> str:
        """Judge the names given so far, just before a commit that may tell them."""
        left = {folder for folder in self._folders if Path(folder).exists()}
        return f"a commit before the new names in {sorted(left)} are synced" if left else ""
