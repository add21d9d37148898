"""A job's steps over its time, for a drawing: waited, ran, and what went wrong on the way; reads rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils import timezone

from uploads.models import EventKind, Job, Step
from uploads.models.waiting import why_steps_wait
from uploads.states import StepState

SHOWN_STEPS = 100
SHOWN_MARKS = 500
WIDTH = 1000
SMALLEST = 4
TICKS = 4
STATE_WORDS: dict[str, str] = {
    StepState.PENDING: "waits for others",
    StepState.READY: "waiting",
    StepState.RUNNING: "running",
    StepState.SUCCEEDED: "done",
    StepState.FAILED: "failed",
    StepState.CANCELLED: "cancelled",
}
MARKED: dict[str, str] = {
    EventKind.STEP_RETRY: "retry",
    EventKind.WORKER_LOST: "lost",
    EventKind.STEP_RELEASED: "released",
}


@dataclass(frozen=True)
class Mark:
    """Something that happened to a step on its way: `retry`, `lost` (its worker died), `released`."""

    kind: str
    at: datetime
    x: int
    text: str


@dataclass(frozen=True)
class Bar:
    """One step in the job's time, in thousandths of it: waited from `start` to `run`, ran to `end`.

    `tried` is where the run began that the last mark ended, if the step waits again; of
    earlier ones only the end is known. `why` tells what an open step waits for.
    """

    step: Step
    start: int
    run: int
    end: int
    waited_seconds: float
    ran_seconds: float | None
    marks: list[Mark]
    tried: int | None = None
    why: str = ""

    @property
    def words(self) -> str:
        return STATE_WORDS.get(self.step.state, self.step.state)

    @property
    def tried_width(self) -> int:
        """Return how long the run was that came to nothing."""
        if self.tried is None or not self.marks:
            return 0
        return max(SMALLEST, self.marks[-1].x - self.tried)

    @property
    def waited(self) -> int:
        return max(0, self.run - self.start)

    @property
    def ran(self) -> int:
        return 0 if self.ran_seconds is None else max(SMALLEST, self.end - self.run)

    @property
    def ran_x(self) -> int:
        """Return where the run is drawn; the shortest stays inside the picture."""
        return min(self.run, WIDTH - SMALLEST)

    @property
    def host(self) -> str:
        return self.step.lease_owner.partition(":")[0]

    @property
    def pid(self) -> str:
        parts = self.step.lease_owner.rsplit(":", 2)
        return parts[1] if len(parts) == 3 else ""


@dataclass(frozen=True)
class Timeline:
    """The bars in the order of their steps, and the moments of the axis in seconds since the start."""

    bars: list[Bar]
    ticks: list[float]
    total: int


class _Scale:
    """Places moments between a job's first and last one."""

    def __init__(self, job: Job, steps: Sequence[Step]) -> None:
        self.now = timezone.now()
        ends = [step.finished_at for step in steps if step.finished_at]
        self.first = job.created_at
        self.last = max([job.finished_at or self.now, *ends])
        self.seconds = max(0.001, (self.last - self.first).total_seconds())

    def place(self, moment: datetime) -> int:
        share = (moment - self.first).total_seconds() / self.seconds
        return max(0, min(WIDTH, round(WIDTH * share)))


def timeline(job: Job) -> Timeline:
    """Return the job's timeline of at most 100 steps; a handful of queries."""
    steps = list(_first_steps(job))
    scale = _Scale(job, steps)
    marks = _marks(job, scale)
    whys = {pk: said.text for pk, said in why_steps_wait(job, steps).items()}
    bars = [
        _bar(step, scale, marks[step.pk], whys.get(step.pk, ""))
        for step in sorted(steps, key=lambda step: step.pk)
    ]
    ticks = [scale.seconds * tick / TICKS for tick in range(TICKS + 1)]
    return Timeline(bars, ticks, job.steps.count())


def _first_steps(job: Job) -> QuerySet[Step]:
    """Return the steps that matter most: running, failed, waiting, then the rest in their order."""
    ranks = {StepState.RUNNING: 0, StepState.FAILED: 1, StepState.READY: 2, StepState.PENDING: 3}
    rank = Case(
        *(When(state=state, then=Value(place)) for state, place in ranks.items()),
        default=Value(4),
        output_field=IntegerField(),
    )
    return job.steps.select_related("item").order_by(rank, "pk")[:SHOWN_STEPS]


def _marks(job: Job, scale: _Scale) -> dict[int, list[Mark]]:
    found: dict[int, list[Mark]] = defaultdict(list)
    rows = job.events.filter(kind__in=MARKED).order_by("-seq")[:SHOWN_MARKS]
    for event in sorted(rows, key=lambda event: event.seq):
        step = event.body.get("step")
        if isinstance(step, int):
            place = scale.place(event.at)
            found[step].append(Mark(MARKED[event.kind], event.at, place, event.text))
    return found


def _bar(step: Step, scale: _Scale, marks: list[Mark], why: str) -> Bar:
    is_open = step.state in {StepState.READY, StepState.PENDING}
    running = step.state == StepState.RUNNING
    # A step that waits again has the start of its last run still on its row.
    started = None if is_open else step.started_at
    run = started or (scale.last if is_open else step.created_at)
    end = step.finished_at or (scale.now if running else run)
    return Bar(
        step=step,
        start=scale.place(step.created_at),
        run=scale.place(run),
        end=scale.place(end),
        waited_seconds=max(0.0, (run - step.created_at).total_seconds()),
        ran_seconds=max(0.0, (end - started).total_seconds()) if started else None,
        marks=marks,
        tried=scale.place(step.started_at) if is_open and step.started_at else None,
        why=why,
    )
