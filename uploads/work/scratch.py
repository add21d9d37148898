"""A step's private folder: its inputs under fixed names, and room for what it makes."""

import shutil
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from uploads.models import Input, Item, Result, Stage, Step
from uploads.models.chaining import given_to
from uploads.models.item import Source, source_of
from uploads.models.stage import option_of, option_role
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
        for use in self._options:
            option = option_of(use.role)
            paths[option] = self._link(source_of(use.upload), f"option-{use.pk}", option)
        return paths

    def item(self, item: Item) -> dict[str, Any]:
        """Link an item's source (or all sources) and describe it for the child."""
        if (source := item.source) is not None:
            return {
                "key": item.pk,
                "name": item.name,
                "media_type": source.media_type,
                "path": self._link(source, str(item.pk), "source"),
            }
        paths = [
            self._link(source, str(item.pk), f"source-{number}")
            for number, source in enumerate(self._all, start=1)
        ]
        return {
            "key": item.pk,
            "name": item.name,
            "media_type": "application/octet-stream",
            "paths": paths,
            "sources": [
                {"name": s.name, "media_type": s.media_type, "relative_path": s.relative_path}
                for s in self._all
            ],
        }

    @cached_property
    def _options(self) -> list[Input]:
        """The files that options of this step's stage name."""
        uses = Input.objects.filter(job=self.step.job_id).exclude(role="source")
        return [use for use in uses.select_related("upload") if self._is_mine(use)]

    def _is_mine(self, use: Input) -> bool:
        return use.role == option_role(self.step.stage.position, option_of(use.role))

    @cached_property
    def _all(self) -> list[Source]:
        """What a stage gets that takes all at once: the files sent, or what was made of them."""
        stage = self.step.stage
        if stage.position == 0:
            uses = Input.objects.filter(job=self.step.job_id, role="source")
            return [
                source_of(use.upload) for use in uses.select_related("upload").order_by("position")
            ]
        stages = list(Stage.objects.filter(job=self.step.job_id).order_by("position"))
        return [source_of(result) for result in given_to(stages, stage.position)]

    def lost(self, item: Item) -> Source | None:
        """Return a file that an item needs and whose bytes are not here, or not all of them."""
        own = item.source
        sources = self._all if own is None else [own]
        needed = [*sources, *(source_of(use.upload) for use in self._options)]
        return next((source for source in needed if not _is_here(source)), None)

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

    def _link(self, source: Source, folder: str, name: str) -> str:
        target = self.inputs / folder / (name + SUFFIXES.get(source.media_type, ""))
        if not target.exists():
            store.fetch(source.storage_key, target)
        return str(target)


def _is_here(source: Source) -> bool:
    try:
        return store.path(source.storage_key).stat().st_size == source.size_bytes
    except FileNotFoundError:
        return False
