"""The rows that a new job is made of; whether it may be asked for was checked before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uploads.models import Candidate, Input, Item, Job, Stage, Upload
from uploads.models.chaining import seconds_ahead, seconds_of
from uploads.operations import Operation
from uploads.work.sample import Placed


@dataclass(frozen=True)
class Link:
    """One operation of a request with its options, parsed and plain."""

    operation: Operation[Any]
    options: Any
    plain: dict[str, Any]


@dataclass(frozen=True)
class Together:
    """What an operation that takes all files works on: its name, and the first one's least weight."""

    name: str
    least_weight: float


def add_stages(job: Job, links: Sequence[Link]) -> list[Stage]:
    """Add a stage for each operation, in their order."""
    return Stage.objects.bulk_create(
        [
            Stage(
                job=job,
                position=position,
                operation=link.operation.name,
                version=link.operation.version,
                takes_all=link.operation.takes != "each",
                options=link.plain,
            )
            for position, link in enumerate(links)
        ]
    )


def add_candidates(job: Job, sources: Sequence[Upload], own: Mapping[int, dict[str, Any]]) -> None:
    """Remember all files of a sample, each with its own options: the whole job is run on them."""
    Candidate.objects.bulk_create(
        [
            Candidate(job=job, upload=upload, position=position, options=own.get(upload.pk, {}))
            for position, upload in enumerate(sources)
        ],
        batch_size=500,
    )


def add_inputs(job: Job, placed: Sequence[Placed], named: Sequence[tuple[str, Upload]]) -> None:
    """Add the files that a job uses: its sources, and those that its options name by their roles."""
    inputs = [Input(job=job, upload=upload, position=position) for position, upload in placed]
    inputs += [Input(job=job, upload=upload, role=role) for role, upload in named]
    Input.objects.bulk_create(inputs, batch_size=500)


def add_items(
    job: Job,
    stages: Sequence[Stage],
    placed: Sequence[Placed],
    own: Mapping[int, dict[str, Any]],
    together: Together,
) -> None:
    """Add an item for each file, and one for each operation that takes all at once.

    Writes the job's count of items and its weight in seconds; `own` are options by upload.
    """
    size = sum(upload.length for _, upload in placed)
    items = [_together(stage, together.name, size) for stage in stages if stage.takes_all]
    for item in items[:1]:
        item.weight = max(item.weight, together.least_weight)
    if not stages[0].takes_all:
        items += [
            Item(
                job=job,
                stage=stages[0],
                position=position,
                upload=upload,
                name=upload.name,
                relative_path=upload.relative_path,
                size_bytes=upload.length,
                weight=seconds_of(stages[0], upload.length),
                options=own.get(upload.pk, {}),
            )
            for position, upload in placed
        ]
    Item.objects.bulk_create(items, batch_size=500)
    job.items_total = len(items)
    job.weight_total = sum(
        item.weight + seconds_ahead(stages, item.stage.position, item.size_bytes) for item in items
    )
    job.save(update_fields=["items_total", "weight_total"])


def _together(stage: Stage, name: str, size_bytes: int) -> Item:
    """Return the one item of a stage that takes all files at once."""
    weight = seconds_of(stage, size_bytes)
    return Item(
        job=stage.job, stage=stage, position=0, name=name, size_bytes=size_bytes, weight=weight
    )
