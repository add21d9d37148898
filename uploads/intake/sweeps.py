"""Repairs of the intake after kills, and expiry; each is safe to repeat and to run beside itself."""

import fcntl
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from django.db.models.functions import Now

from uploads.intake.arrival import arrive
from uploads.intake.writer import MARK, SIDE_FILES
from uploads.models import Upload
from uploads.states import UploadState
from uploads.storage import store

STRAY_SECONDS: Final = 3600
BATCH: Final = 500


def finish_whole_uploads() -> int:
    """Complete uploads whose last byte is on disk but whose process was killed before it said so."""
    receiving = Upload.objects.filter(state=UploadState.RECEIVING)
    return sum(arrive(upload) for upload in receiving.iterator() if _is_whole(upload))


def expire_uploads() -> int:
    """Remove uploads past their time (the database's) that no job uses; later forget their rows."""
    past = Upload.objects.unused().filter(expires_at__lt=Now())
    gone = [UploadState.EXPIRED, UploadState.TERMINATED]
    past.filter(state__in=gone).delete()
    return sum(upload.remove(UploadState.EXPIRED) for upload in past.alive().iterator())


def remove_stray_files() -> int:
    """Delete files that no living upload owns: a kill left them before the row, or after it."""
    removed = 0
    for folder in (store.root / "incoming").glob("??"):
        old = _old_files(folder)
        while files := list(islice(old, BATCH)):
            wanted = set(
                Upload.objects.alive()
                .filter(key__in={file.name.partition(".")[0] for file in files})
                .values_list("key", flat=True)
            )
            for file in files:
                if not _belongs(file, wanted):
                    file.unlink(missing_ok=True)
                    removed += 1
    return removed


def _is_whole(upload: Upload) -> bool:
    """Tell whether all bytes are here, verified, synced, and nobody is still writing."""
    path = store.path(upload.storage_key)
    try:
        if path.stat().st_size != upload.length or path.with_name(path.name + MARK).exists():
            return False
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fsync(file.fileno())
    except (FileNotFoundError, BlockingIOError):
        return False
    return True


def _old_files(folder: Path) -> Iterator[Path]:
    before = time.time() - STRAY_SECONDS
    for file in folder.iterdir():
        try:
            if file.stat().st_mtime < before:
                yield file
        except FileNotFoundError:
            continue


def _belongs(file: Path, wanted: set[str]) -> bool:
    """Tell whether a file is a living upload's bytes, or the mark that some are unverified."""
    key, dot, _ = file.name.partition(".")
    return key in wanted and (not dot or file.suffix not in SIDE_FILES)
