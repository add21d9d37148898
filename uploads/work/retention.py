"""Retention: what is too old goes, and bytes that no row refers to."""

import logging
import re
import shutil
import time
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from uploads.conf import conf
from uploads.models import Job, Result, Step
from uploads.states import StepState
from uploads.storage import Unclaimed, store

log = logging.getLogger("tidemill.sweep")

# A worker renames its files before it commits; younger strays may be its own.
STRAY_SECONDS = 3600
UNCLAIMED = Unclaimed("store")
FORGOTTEN_SECONDS = 24 * 3600
SCRATCH_NAME = re.compile(r"\d+-(?P<token>[0-9a-f]{24})")


def prune_jobs() -> int:
    """Delete the jobs whose time is over, with their bytes."""
    now = timezone.now()
    past = Job.objects.filter(expires_at__lt=now).order_by("expires_at")
    pruned = 0
    for pk in list(past.values_list("pk", flat=True)[:100]):
        with transaction.atomic():
            job = past.filter(pk=pk).first()
            # Its owner may have retried or removed it since the list was read.
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
    leftovers: list[str] = []
    unclaimed: list[str] = []
    for folder in sorted(root.glob("*/*/*")):
        ended_at = _ended_at(folder)
        for path in _strays(folder, older_than_seconds):
            known = ended_at is not None and path.stat().st_mtime <= ended_at
            (leftovers if known else unclaimed).append(str(path.relative_to(store.root)))
    gone = [*leftovers, *UNCLAIMED.due(unclaimed, keep)]
    for key in gone:
        store.delete(key)
    for pattern in ("*/*/*", "*/*"):
        for folder in root.glob(pattern):
            _remove_empty(folder)
    return len(gone)


def _ended_at(folder: Path) -> float | None:
    """Return when the step of a folder ended, or None while it has not or is not known."""
    step = folder.name.partition("-")[0]
    known = Step.objects.filter(pk=int(step)) if step.isdigit() else Step.objects.none()
    finished = known.exclude(finished_at=None).values_list("finished_at", flat=True).first()
    return finished.timestamp() if finished else None


def _strays(folder: Path, older_than_seconds: float) -> list[Path]:
    """Return the old files of a folder that no row refers to and no running step made."""
    token = folder.name.rpartition("-")[2]
    if Step.objects.filter(lease_token=token, state=StepState.RUNNING).exists():
        return []
    limit = time.time() - older_than_seconds
    old = [path for path in folder.iterdir() if path.stat().st_mtime < limit]
    keys = [str(path.relative_to(store.root)) for path in old]
    wanted = set(Result.objects.filter(storage_key__in=keys).values_list("storage_key", flat=True))
    return [path for path, key in zip(old, keys, strict=True) if key not in wanted]


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def remove_orphan_scratch() -> int:
    """Remove the private folders of steps that run no more, and whatever else lies there for a day."""
    removed = _remove_forgotten()
    found = ((SCRATCH_NAME.fullmatch(path.name), path) for path in store.scratch().iterdir())
    tokens = {name["token"]: path for name, path in found if name}
    if not tokens:
        return removed
    held = set(
        Step.objects.filter(state=StepState.RUNNING, lease_token__in=tokens).values_list(
            "lease_token", flat=True
        )
    )
    for token, path in tokens.items():
        if token not in held:
            shutil.rmtree(path, ignore_errors=True)
    return removed + len(tokens) - len(held)


def _remove_forgotten() -> int:
    """Remove what killed commands and cut forms left in the scratch folder."""
    limit = time.time() - FORGOTTEN_SECONDS
    old = [path for path in store.scratch().iterdir() if path.lstat().st_mtime < limit]
    for path in old:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(old)
