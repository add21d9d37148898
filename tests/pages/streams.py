"""Streams as the worker leaves them: made part by part by the operation itself."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from tests.factories import make_job, make_upload
from tests.operations.conftest import H264, ffmpeg, moving, sounding
from uploads.models import Item, Job, Result, Step
from uploads.operations import Context, Output, Part, PartResult
from uploads.operations.hls import Hls, hls
from uploads.operations.options import parse_options
from uploads.states import ItemState, JobState, Lane, StepKind, StepState
from uploads.storage import store

OPTIONS: dict[str, Any] = {"heights": [120, 60], "speed": "ultrafast", "segment": 2}


class Making:
    """A job that makes a stream of 24 s, of which as many parts are done as a test wants."""

    def __init__(self, owner: User, folder: Path) -> None:
        film = folder / "Evening.mp4"
        ffmpeg(*moving(24), *sounding(24), *H264, "-g", "30", "-c:a", "aac", str(film))
        self.job = make_job(
            owner, [make_upload(owner, film, media_type="video/mp4")], "video.hls", **OPTIONS
        )
        self.item = Item.objects.get(job=self.job)
        self.folder = folder
        self.context: Context[Hls] = Context(parse_options(Hls, OPTIONS), folder, "Evening.mp4")
        self.film = film
        assert hls.planner is not None
        self.parts: list[Part] = list(hls.planner(film, self.context))
        self.steps = [self._step(number, part) for number, part in enumerate(self.parts)]
        self.done: dict[int, PartResult] = {}

    def _step(self, number: int, part: Part) -> Step:
        return Step.objects.create(
            job=self.job,
            stage=self.item.stage,
            item=self.item,
            kind=StepKind.WORK,
            seq=number + 1,
            lane=Lane.CPU,
            owner=self.job.owner,
            weight=part.weight,
            params=part.params,
        )

    def finish(self, number: int) -> None:
        """Make one part, as its step's commit would leave it."""
        part, step = self.parts[number], self.steps[number]
        working = replace(self.context, part=part.params)
        made = [o for o in hls.run(self.film, working) if isinstance(o, Output)]
        for place, output in enumerate(made):
            self._keep(step, place, output, "part")
        paths = [output.path for output in made]
        self.done[number] = PartResult(part.params, paths, [output.meta for output in made])
        step.state = StepState.SUCCEEDED
        step.save()

    def join(self) -> None:
        """Put all parts together; their own files go."""
        assert hls.joiner is not None
        joined = list(
            hls.joiner(self.film, self.context, [self.done[n] for n in sorted(self.done)])
        )
        Result.objects.filter(item=self.item, role="part").delete()
        for place, output in enumerate(joined):
            if isinstance(output, Output):
                self._keep(self.steps[-1], 100 + place, output, output.role)
        now = timezone.now()
        Item.objects.filter(pk=self.item.pk).update(state=ItemState.SUCCEEDED, finished_at=now)
        Job.objects.filter(pk=self.job.pk).update(state=JobState.SUCCEEDED, finished_at=now)

    def _keep(self, step: Step, place: int, output: Output, role: str) -> None:
        key = f"store/{self.job.key}/{step.pk}-{place}{output.path.suffix}"
        size = output.path.stat().st_size
        kinds = {".mp4": "video/mp4", ".jpg": "image/jpeg"}
        copied = output.path.with_name(f"kept-{step.pk}-{output.path.name}")
        copied.write_bytes(output.path.read_bytes())
        folder = "Evening/" if output.meta.get("folder") else ""
        Result.objects.create(
            job=self.job,
            item=self.item,
            step=step,
            position=place,
            name=output.path.name,
            relative_path=f"{folder}{output.path.name}" if folder else "",
            role=role,
            storage_key=key,
            size_bytes=size,
            sha256=store.adopt(copied, key, lambda: True),
            media_type=kinds.get(output.path.suffix, "application/vnd.apple.mpegurl"),
            meta=output.meta,
        )
