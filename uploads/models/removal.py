"""A job's verb to go for good, with every byte that nobody else needs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import transaction

from uploads import bell
from uploads.models.upload import Upload
from uploads.storage import store

if TYPE_CHECKING:
    from uploads.models.job import Job


def remove(job: "Job", actor: str) -> int:
    """Delete the job, its results and the uploads that no other job uses; return the bytes freed.

    The files of a sample stay for the whole job until they expire.

    Rows go in one transaction, bytes after its commit; a worker still at it finds its
    lease gone and discards. A crash in between leaves bytes that the prune sweeps.
    """
    with transaction.atomic():
        used = list(job.inputs.order_by("upload_id").values_list("upload_id", flat=True))
        for chunk in _chunks(used):  # files before jobs, as everybody locks them
            list(Upload.objects.filter(pk__in=chunk).locked())
        job.cancel(actor)
        pk = job.locked().pk
        stored = job.results.all().forget()
        job.events.all().delete()
        job.delete()
        for chunk in _chunks([] if job.is_sample else used):
            stored |= Upload.objects.filter(pk__in=chunk).unused().terminate()
        transaction.on_commit(lambda: _delete_bytes(stored))
        transaction.on_commit(lambda: bell.ring(bell.JOB, str(pk)))
    return sum(stored.values())


def _chunks(values: list[Any]) -> Iterable[list[Any]]:
    """Return the values in pieces of a size that SQLite can bind."""
    return (values[start : start + 500] for start in range(0, len(values), 500))


def _delete_bytes(storage_keys: Iterable[str]) -> None:
    for key in storage_keys:
        store.delete(key)
