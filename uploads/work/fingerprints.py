"""Fingerprints: what a file holds and what is made of it, as SHA-256, so that it is known again.

Files are read beside the work on them and their digests written down once. An item's
`result_key` stands for everything that its results depend on; equal keys, equal results.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from django.db.models import Case, Value, When

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import Input, Item, Result, Stage, Step, Upload
from uploads.models.chaining import given_to
from uploads.operations import Operation
from uploads.operations.options import canonical, parse_options
from uploads.storage import READ_BYTES, store

log = logging.getLogger("tidemill.work")

FORMAT = 1
ROWS_AT_ONCE = 200
LOOK_SECONDS = 1.0
Files = Sequence[Upload | Result]


def comparable(operation: Operation[Any]) -> bool:
    """Tell whether equal inputs and options of an operation mean equal results, and that is wanted."""
    return conf.REUSE and operation.reusable and operation.profile == "decode"


def files_of(step: Step, items: Iterable[Item]) -> dict[int, Files]:
    """Return the files that each item is made from, in their order."""
    together: Files | None = None
    found: dict[int, Files] = {}
    for item in items:
        made = item.upload or item.origin
        if made is None and together is None:
            together = _all(step)
        found[item.pk] = [made] if made else together or []
    return found


def _all(step: Step) -> Files:
    if step.stage.position == 0:
        uses = Input.objects.filter(job=step.job_id, role="source").order_by("position")
        return [use.upload for use in uses.select_related("upload")]
    return given_to(
        list(Stage.objects.filter(job=step.job_id).order_by("position")), step.stage.position
    )


def keys_of(
    step: Step, operation: Operation[Any], items: Sequence[Item], files: Mapping[int, Files]
) -> dict[int, str]:
    """Return the key of each item all of whose files (by item) have been read."""
    known = [item for item in items if files[item.pk] and all(f.sha256 for f in files[item.pk])]
    found = {}
    for item in known:
        try:
            options = parse_options(operation.options, {**step.stage.options, **item.options})
        except RequestError:
            continue  # of an older version: its work will say what is wrong
        found[item.pk] = _key(step, operation, item, canonical(options), files[item.pk])
    return found


def _key(
    step: Step, operation: Operation[Any], item: Item, options: dict[str, Any], files: Files
) -> str:
    together = item.upload_id is None and item.origin_id is None
    described = [[f.sha256, f.media_type] for f in files]
    if together:
        described = [[f.sha256, f.media_type, f.name, f.relative_path] for f in files]
    facts = {
        "format": FORMAT,
        "owner": step.job.owner_id,
        "operation": [operation.name, operation.version],
        "options": options,
        "seconds": step.job.sample_seconds if operation.piecewise else None,
        "name": item.name,
        "files": described,
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def unread(files: Iterable[Files]) -> list[Upload]:
    """Return the uploads without a digest among the files of items that are not too large."""
    found: dict[int, Upload] = {}
    for some in files:
        if sum(made.size_bytes for made in some) <= conf.REUSE_MAX_BYTES:
            found |= {f.pk: f for f in some if isinstance(f, Upload) and not f.sha256}
    return list(found.values())


def write_down(digests: dict[int, str]) -> None:
    """Keep what uploads hold, by their numbers; a statement of its own, safe to repeat."""
    pairs = [(pk, found) for pk, found in digests.items() if found]
    for start in range(0, len(pairs), ROWS_AT_ONCE):
        some = dict(pairs[start : start + ROWS_AT_ONCE])
        cases = [When(pk=pk, then=Value(found)) for pk, found in some.items()]
        Upload.objects.filter(pk__in=some, sha256="").update(sha256=Case(*cases))


class Reading:
    """Reads files in a thread of its own; whoever waits for it stays free to hear and tell."""

    def __init__(self, uploads: Sequence[Upload]) -> None:
        self._uploads = uploads
        self._found: dict[int, str] = {}
        self._unwanted = Event()
        self._thread = Thread(target=self._read, name="fingerprints")

    def __enter__(self) -> Self:
        if self._uploads:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._unwanted.set()
        if self._uploads:
            self._thread.join()

    def finish(self, keep: Callable[[], None]) -> dict[int, str]:
        """Wait for all digests, by upload, and give them to the rows at hand; "" where unreadable.

        `keep` is called about once a second; what it raises ends the reading.
        """
        while self._thread.is_alive():
            self._thread.join(LOOK_SECONDS)
            if self._thread.is_alive():
                keep()
        for upload in self._uploads:
            upload.sha256 = self._found.get(upload.pk, "")
        return self._found

    def _read(self) -> None:
        for upload in self._uploads:
            if self._unwanted.is_set():
                return
            self._found[upload.pk] = self._digest(upload)

    def _digest(self, upload: Upload) -> str:
        found = sha256()
        try:
            with store.path(upload.storage_key).open("rb") as file:
                while piece := file.read(READ_BYTES):
                    found.update(piece)
                    if self._unwanted.is_set():
                        return ""
        except OSError as error:  # the work itself says it in words
            log.warning("%s can't be read for its fingerprint: %s", upload.storage_key, error)
            return ""
        return found.hexdigest()


class Fingerprints:
    """Reads the files of a step's items while a child works on them, and then knows their keys."""

    def __init__(self, step: Step, operation: Operation[Any], items: Sequence[Item]) -> None:
        self._step = step
        self._operation = operation
        self._items = items if comparable(operation) else []
        self._files = files_of(step, self._items)
        self._reading = Reading(unread(self._files.values()))

    def __enter__(self) -> Self:
        self._reading.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reading.__exit__(kind, error, trace)

    def finish(
        self, keep: Callable[[], None], insist: Callable[[Callable[[], None]], None]
    ) -> dict[int, str]:
        """Wait until all files are read, write their digests down, and return the items' keys.

        `keep` renews the lease about once a second, `insist` bears a database that is away.
        An item whose files are not known has no key.
        """
        found = self._reading.finish(keep)
        if found:
            insist(lambda: write_down(found))
        return keys_of(self._step, self._operation, self._items, self._files)
