"""What a sample says about the whole job: how long it will take and how much it will make.

Computed from rows each time. Seconds follow from the sample's pace (real seconds for each
estimated one), played forward over the live workers; bytes from what small and large files became.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Sum

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.forecast import START_SECONDS, Load, play
from uploads.likely import time_range
from uploads.models.chaining import roots, seconds_of
from uploads.models.job import Job
from uploads.models.lane_limit import LARGEST, LaneLimit
from uploads.models.loads import SecondsBetween
from uploads.models.message import seconds_each
from uploads.models.result import BETWEEN, WITHIN
from uploads.models.stage import Stage
from uploads.models.upload import Upload
from uploads.models.words import whole_seconds
from uploads.models.worker import Worker
from uploads.operations import Operation
from uploads.operations.registry import find
from uploads.states import ItemState, StepKind, StepState

Point = tuple[float, float]


@dataclass(frozen=True)
class Prediction:
    """All files of a sample's request: `seconds` is a range, or None when it can't be told."""

    files: int
    source_bytes: int
    result_bytes: int
    seconds: tuple[int, int] | None

    def as_json(self) -> dict[str, Any]:
        low, high = self.seconds or (0, 0)
        return {
            "files": self.files,
            "source_bytes": self.source_bytes,
            "result_bytes": self.result_bytes,
            "seconds": {"low": low, "high": high} if self.seconds else None,
        }


def predict(job: Job) -> Prediction | None:
    """Return what an ended sample says of all its files; None when nothing of it was done."""
    if not (job.is_sample and job.is_finished and job.items_done):
        return None
    stage = job.stages.order_by("position")[0]
    try:
        operation = find(stage.operation)
    except RequestError:
        return None
    if operation.starts:
        return None  # there are no files to go by
    sizes = _sizes(job, operation)
    whole = [sum(sizes)] if stage.takes_all else sizes
    done = _done(job)
    made = sum(_on_curve(done.points, size) for size in whole)
    made += done.together_bytes * sum(sizes) / max(1.0, sum(size for size, _ in done.points))
    seconds = _seconds(job, stage, operation, whole, done.weight)
    if seconds and operation.sends:
        share = sum(sizes) / max(1.0, sum(size for size, _ in done.points))
        sending = round(_letters(job) * share * seconds_each(stage.options))
        seconds = (seconds[0] + sending, seconds[1] + sending)
    return Prediction(len(sizes), sum(sizes), round(made), seconds)


@dataclass(frozen=True)
class _Done:
    """The sample's finished files: bytes in and out of each whole file, and the weight of all.

    `together_bytes` came out of operations of a chain that take all files at once.
    """

    points: list[Point]
    weight: float
    together_bytes: int


def _done(job: Job) -> _Done:
    out: dict[int | None, int] = {}
    shares: dict[int | None, float] = {}
    first = {pk: item.pk for pk, item in roots(job.items.all()).items()}
    for result in job.results.exclude(role="preview").only("item", "size_bytes", "meta", "role"):
        origin = first.get(result.item_id or 0)
        if result.role not in {BETWEEN, WITHIN}:
            out[origin] = out.get(origin, 0) + result.size_bytes
        share = float(result.meta.get("sample_share") or 1)
        shares[origin] = min(shares.get(origin, 1.0), max(share, 1e-6))
    items = list(job.items.filter(state=ItemState.SUCCEEDED, stage__position=0))
    points = [
        (float(item.size_bytes), out.get(item.pk, 0) / shares.get(item.pk, 1.0)) for item in items
    ]
    weight = sum(item.weight * shares.get(item.pk, 1.0) for item in items)
    known = {item.pk for item in items}
    return _Done(sorted(points), weight, sum(n for pk, n in out.items() if pk not in known))


def _letters(job: Job) -> int:
    """Return how many letters a sample has written and not sent."""
    made = job.results.filter(meta__has_key="letters").only("meta")
    return sum(int(result.meta["letters"]) for result in made)


def _sizes(job: Job, operation: Operation[Any]) -> list[int]:
    """Return the bytes of each file that the whole job would work on."""
    uploads = Upload.objects.alive().filter(candidates__job=job)
    return [
        length
        for length, kind in uploads.values_list("length", "media_type")
        if not kind or operation.accepts_type(kind)
    ]


def _on_curve(points: Sequence[Point], size: float) -> float:
    """Return the bytes that a file of this size becomes: between two that are known, else in proportion."""
    place = bisect_left(points, (size, 0.0))
    if 0 < place < len(points):
        (below, low), (above, high) = points[place - 1], points[place]
        return low + (high - low) * (size - below) / max(1.0, above - below)
    near, became = points[min(place, len(points) - 1)]
    return became * size / near if near else became


def _seconds(
    job: Job, stage: Stage, operation: Operation[Any], sizes: Sequence[int], weight_done: float
) -> tuple[int, int] | None:
    took = SecondsBetween(F("finished_at"), F("started_at"))
    worked = job.steps.filter(
        state=StepState.SUCCEEDED, kind__in=[StepKind.WORK, StepKind.JOIN]
    ).annotate(took=took)
    steps = [
        (max(0.0, seconds), weight) for seconds, weight in worked.values_list("took", "weight")
    ]
    planned = sum(weight for _, weight in steps)
    if not (weight_done and planned):
        return None
    scale = weight_done / planned
    ahead = sum(seconds_of(stage, size) for size in sizes)
    pieces = math.ceil(ahead / conf.STEP_SECONDS)
    ready = max(1, pieces if operation.divisible else min(len(sizes), pieces))
    load = Load(
        ended=len(steps),
        ended_weight=weight_done + START_SECONDS * len(steps),
        ended_seconds=sum(seconds for seconds, _ in steps),
        ended_squares=sum(
            seconds**2 / (weight * scale + START_SECONDS) for seconds, weight in steps
        ),
        ready=ready,
        ready_weight=ahead + START_SECONDS * ready,
    )
    course = play({job.pk: load}, _workers(operation.lane))[job.pk]
    told = time_range(load, course.ends)
    return whole_seconds(*told) if told else None


def _workers(lane: str) -> int:
    limits = LaneLimit.objects.filter(lane=lane).aggregate(most=Sum("max_inflight"))
    return max(1, min(Worker.objects.live(lane).count(), limits["most"] or LARGEST))
