"""A step's private folder: its inputs under fixed names, and room for what it makes."""

import shutil
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from uploads.models import Input, Item, Result, Step, Upload
from uploads.states import StepState
from uploads.storage import store
from uploads.work.full_disk import NoRoom, is_full, wanted_bytes

SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "image/heif": ".heic",
    "image/tiff": ".tif",
    "image/gif": ".gif",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/x-matroska": ".mkv",
    "video/webm": ".webm",
    "video/mp2t": ".ts",
    "video/x-msvideo": ".avi",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "audio/wav": ".wav",
    "application/pdf": ".pdf",
    "text/csv": ".csv",
}


class Scratch:
    """`in/` holds links to the inputs, `out/` what the child writes; gone when the step ends."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.folder = store.scratch() / f"{step.pk}-{step.lease_token}"
        self.inputs = self.folder / "in"
        self.out = self.folder / "out"

    def __enter__(self) -> Self:
        try:
            self.inputs.mkdir(mode=0o700, parents=True)
            self.out.mkdir(mode=0o700)
        except OSError as error:
            self._leave(error)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        """Remove the folder; a full disk is told as `NoRoom` with what was needed."""
        needs = wanted_bytes(self.folder) if error is not None and is_full(error) else 0
        shutil.rmtree(self.folder, ignore_errors=True)
        if needs:
            raise NoRoom(needs) from error

    def clear(self, key: int) -> None:
        """Remove what a child wrote for one item."""
        shutil.rmtree(self.out / str(key), ignore_errors=True)

    def files(self) -> dict[str, str]:
        """Link the files that options name; return their paths by option."""
        paths = {}
        for use in self.step.job.inputs.exclude(role="source").select_related("upload"):
            paths[use.role] = self._link(use.upload, f"option-{use.pk}", use.role)
        return paths

    def item(self, item: Item) -> dict[str, Any]:
        """Link an item's source (or all sources) and describe it for the child."""
        if item.upload is not None:
            return {
                "key": item.pk,
                "name": item.name,
                "media_type": item.upload.media_type,
                "path": self._link(item.upload, str(item.pk), "source"),
            }
        uses = Input.objects.filter(job=item.job_id, role="source").select_related("upload")
        uploads = [use.upload for use in uses.order_by("position")]
        paths = [
            self._link(upload, str(item.pk), f"source-{number}")
            for number, upload in enumerate(uploads, start=1)
        ]
        return {
            "key": item.pk,
            "name": item.name,
            "media_type": "application/octet-stream",
            "paths": paths,
            "sources": [
                {"name": u.name, "media_type": u.media_type, "relative_path": u.relative_path}
                for u in uploads
            ],
        }

    @cached_property
    def _option_uploads(self) -> list[Upload]:
        uses = Input.objects.filter(job=self.step.job_id).exclude(role="source")
        return [use.upload for use in uses.select_related("upload")]

    def lost(self, item: Item) -> Upload | None:
        """Return an upload that an item needs and whose bytes are not here, or not all of them."""
        if item.upload is not None:
            sources = [item.upload]
        else:
            uses = Input.objects.filter(job=item.job_id, role="source").select_related("upload")
            sources = [use.upload for use in uses]
        needed = [*sources, *self._option_uploads]
        return next((upload for upload in needed if not _is_here(upload)), None)

    def parts(self, item: Item) -> list[dict[str, Any]]:
        """Link what the parts of an item left, in the order of the parts."""
        steps = item.part_steps.filter(kind="work", state=StepState.SUCCEEDED).order_by("seq")
        return [
            {
                "params": step.params,
                **self._part_files(step.pk, list(step.results.order_by("position"))),
            }
            for step in steps
        ]

    def _part_files(self, number: int, results: Sequence[Result]) -> dict[str, Any]:
        paths = []
        for result in results:
            target = self.inputs / f"part-{number}" / f"{result.position}-{result.name}"
            if not target.exists():  # a second child, after the first one died
                store.fetch(result.storage_key, target)
            paths.append(str(target))
        return {"paths": paths, "meta": [result.meta for result in results]}

    def _link(self, upload: Upload, folder: str, name: str) -> str:
        target = self.inputs / folder / (name + SUFFIXES.get(upload.media_type, ""))
        if not target.exists():
            store.fetch(upload.storage_key, target)
        return str(target)


def _is_here(upload: Upload) -> bool:
    try:
        return store.path(upload.storage_key).stat().st_size == upload.length
    except FileNotFoundError:
        return False
