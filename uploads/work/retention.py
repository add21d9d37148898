"""Retention: what is too old goes, and bytes that no row refers to."""

import contextlib
import logging
import re
import shutil
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models.functions import Now

from uploads.conf import conf
from uploads.models import Job, Result, Step
from uploads.storage import Unclaimed, store

log = logging.getLogger("tidemill.sweep")

# A worker renames its files before it commits; younger strays may be its own.
STRAY_SECONDS = 3600
FILES_AT_ONCE = 500  # SQLite binds a limited number of values
UNCLAIMED = Unclaimed("store")
FORGOTTEN_SECONDS = 24 * 3600
SCRATCH_NAME = re.compile(r"\d+-(?P<token>[0-9a-f]{24})")


def prune_jobs() -> int:
    """Delete the jobs whose time is over by the database's clock, with their bytes."""
    past = Job.objects.filter(expires_at__lt=Now()).order_by("expires_at")
    pruned = 0
    for pk in list(past.values_list("pk", flat=True)[:100]):
        with transaction.atomic():
            # Its owner may have retried or removed it since the list was read.
            job = past.filter(pk=pk).first()
            with contextlib.suppress(Job.DoesNotExist):
                if job is not None and job.locked().expires_at == job.expires_at:
                    job.remove("Tidemill")
                    pruned += 1
    return pruned


def remove_orphans(
    older_than_seconds: float = STRAY_SECONDS, unclaimed_seconds: float | None = None
) -> int:
    """Remove stored files without a row and the empty folders of deleted jobs.

    What an ended step left from before its end goes soon; any other file may be wanted by
    a database that is newer than the one that was restored, and waits its time out.
    """
    keep = conf.UNCLAIMED_KEEP_SECONDS if unclaimed_seconds is None else unclaimed_seconds
    root = store.path("store")
    limit = time.time() - older_than_seconds
    old = (path for path in root.glob("*/*/*/*") if _is_older(path, limit))
    leftovers: list[str] = []
    unclaimed: list[str] = []
    while some := list(islice(old, FILES_AT_ONCE)):
        strays = _without_row(some)
        known = _leftovers(strays)
        for path in strays:
            kind = leftovers if path in known else unclaimed
            kind.append(str(path.relative_to(store.root)))
    gone = [*leftovers, *UNCLAIMED.due(unclaimed, keep)]
    for key in gone:
        store.delete(key)
    for pattern in ("*/*/*", "*/*"):
        for folder in list(root.glob(pattern)):
            _remove_empty(folder, limit)
    return len(gone)


def _without_row(paths: Sequence[Path]) -> list[Path]:
    """Return the files that no row refers to and no running step made; two queries.

    What runs is asked first: a step that commits in between has its rows at the second look.
    """
    running = set(Step.objects.running().values_list("lease_token", flat=True))
    keys = {str(path.relative_to(store.root)): path for path in paths}
    for key in Result.objects.filter(storage_key__in=keys).values_list("storage_key", flat=True):
        keys.pop(key, None)  # several rows may share one file
    return [path for path in keys.values() if path.parent.name.rpartition("-")[2] not in running]


def _leftovers(paths: Sequence[Path]) -> set[Path]:
    """Return those files that a step of the job in their path left from before its end."""
    numbers = {path: path.parent.name.partition("-")[0] for path in paths}
    known = Step.objects.filter(pk__in={int(n) for n in numbers.values() if n.isdigit()})
    # A restored database gives the numbers of lost steps anew, but never the key of their job.
    ends = {
        (str(pk), key): ended.timestamp()
        for pk, key, ended in known.values_list("pk", "job__key", "finished_at")
        if ended is not None
    }
    found = ((path, ends.get((number, path.parents[1].name))) for path, number in numbers.items())
    return {path for path, ended in found if ended is not None and _is_older(path, ended)}


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
