"""Retention: what is too old goes, and bytes that no row refers to."""

import contextlib
import logging
import re
import shutil
import time
from pathlib import Path

from django.db import transaction
from django.db.models.functions import Now

from uploads.models import Job, Result, Step
from uploads.storage import store

log = logging.getLogger("tidemill.sweep")

# A worker renames its files before it commits; younger strays may be its own.
STRAY_SECONDS = 3600
FORGOTTEN_SECONDS = 24 * 3600
SCRATCH_NAME = re.compile(r"\d+-(?P<token>[0-9a-f]{24})")


def prune_jobs() -> int:
    """Delete the jobs whose time is over by the database's clock, with their bytes."""
    past = Job.objects.filter(expires_at__lt=Now()).order_by("expires_at")
    pruned = 0
    for pk in list(past.values_list("pk", flat=True)[:100]):
        with transaction.atomic():
            job = past.filter(pk=pk).first()
            # Its owner may have retried or removed it since the list was read.
            if job is not None and job.locked().expires_at == job.expires_at:
                job.remove("Tidemill")
                pruned += 1
    return pruned


def remove_orphans(older_than_seconds: float = STRAY_SECONDS) -> int:
    """Remove stored files without a row and the empty folders of deleted jobs."""
    removed = 0
    limit = time.time() - older_than_seconds
    root = store.path("store")
    for folder in sorted(root.glob("*/*/*")):
        removed += _remove_strays(folder, limit)
    for folder in sorted(root.glob("*/*"), reverse=True):
        _remove_empty(folder, limit)
    return removed


def _remove_strays(folder: Path, limit: float) -> int:
    token = folder.name.rpartition("-")[2]
    if Step.objects.running().filter(lease_token=token).exists():
        return 0
    removed = 0
    for path in list(folder.glob("*")):  # nothing, when another sweep was faster
        key = str(path.relative_to(store.root))
        if _is_older(path, limit) and not Result.objects.filter(storage_key=key).exists():
            store.delete(key)
            removed += 1
    _remove_empty(folder, limit)
    return removed


def _is_older(path: Path, limit: float) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_mtime < limit
    return False


def _remove_empty(folder: Path, limit: float) -> None:
    """Remove a folder with nothing in it; in a young one a worker may be about to put a file."""
    if _is_older(folder, limit):
        with contextlib.suppress(OSError):
            folder.rmdir()


def remove_orphan_scratch() -> int:
    """Remove the private folders of steps that run no more."""
    found = ((SCRATCH_NAME.fullmatch(path.name), path) for path in store.scratch().iterdir())
    tokens = {name["token"]: path for name, path in found if name}
    if not tokens:
        return 0
    held = set(
        Step.objects.running().filter(lease_token__in=tokens).values_list("lease_token", flat=True)
    )
    for token, path in tokens.items():
        if token not in held:
            shutil.rmtree(path, ignore_errors=True)
    return len(tokens) - len(held)


def remove_forgotten() -> int:
    """Remove what killed commands and cut forms left in the scratch folder a day ago."""
    limit = time.time() - FORGOTTEN_SECONDS
    removed = 0
    for path in store.scratch().iterdir():
        # A step's own folder goes with its lease, however old it looks.
        if SCRATCH_NAME.fullmatch(path.name) or not _is_older(path, limit):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed += 1
    return removed
