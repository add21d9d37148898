"""What the console's page of one job shows; reads rows, changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils import timezone

from uploads.admin.overview import job_rows
from uploads.admin.verbs import VERBS, possible
from uploads.models import Event, Item, Job, Stage, Step
from uploads.states import ItemState, StepState

SHOWN_STEPS = 100
SHOWN_ITEMS = 50
SHOWN_EVENTS = 100
SHOWN_DEEDS = 20
WIDTH = 1000
SMALLEST = 4


@dataclass(frozen=True)
class Bar:
    """One step in the job's time, in thousandths of it: waited from `start` to `run`, ran to `end`."""

    step: Step
    start: int
    run: int
    end: int
    waited_seconds: float | None
    ran_seconds: float | None

    @property
    def waited(self) -> int:
        return max(0, self.run - self.start)

    @property
    def ran(self) -> int:
        return max(SMALLEST, self.end - self.run) if self.step.started_at else 0


def page_context(job: Job, allowed: set[str]) -> dict[str, Any]:
    """Return the page's context; `allowed` holds the permissions `change` and `delete`."""
    stages = Stage.objects.filter(job=job)
    steps = list(_first_steps(job))
    failed = job.items.filter(state=ItemState.FAILED).select_related("upload").order_by("position")
    events: QuerySet[Event] = job.events.order_by("-seq")[:SHOWN_EVENTS]
    return {
        "job": job,
        "row": job_rows([job])[0],
        "options": [(name, _plain(value)) for s in stages for name, value in s.options.items()],
        "verbs": [verb for verb in VERBS if verb.permission in allowed and possible(job, verb)],
        "bars": bars(job, steps),
        "steps_total": job.steps.count(),
        "failed_items": failed[:SHOWN_ITEMS],
        "warned_items": _warned(job),
        "results_bytes": job.results.bytes_taken(),
        "events": events,
        "deeds": _deeds(job),
    }


def _plain(value: Any) -> str:
    """Return an option's value for reading; nothing chosen is a dash."""
    if value in (None, "", []):
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _first_steps(job: Job) -> QuerySet[Step]:
    """Return the steps that matter most: running, failed, waiting, then the rest in their order."""
    ranks = {StepState.RUNNING: 0, StepState.FAILED: 1, StepState.READY: 2, StepState.PENDING: 3}
    rank = Case(
        *(When(state=state, then=Value(place)) for state, place in ranks.items()),
        default=Value(4),
        output_field=IntegerField(),
    )
    return job.steps.select_related("item").order_by(rank, "pk")[:SHOWN_STEPS]


def bars(job: Job, steps: list[Step]) -> list[Bar]:
    """Return the steps as bars over the job's time, in the order of their numbers."""
    now = timezone.now()
    last = max([job.finished_at or now, *(step.finished_at for step in steps if step.finished_at)])
    first = job.created_at
    whole = max(0.001, (last - first).total_seconds())

    def place(moment: datetime) -> int:
        return max(0, min(WIDTH, round(WIDTH * (moment - first).total_seconds() / whole)))

    def bar(step: Step) -> Bar:
        open_until = last if step.state in {StepState.READY, StepState.PENDING} else step.created_at
        run = step.started_at or open_until
        end = step.finished_at or (now if step.state == StepState.RUNNING else run)
        ran = (end - step.started_at).total_seconds() if step.started_at else None
        waited = (run - step.created_at).total_seconds()
        return Bar(step, place(step.created_at), place(run), place(end), waited, ran)

    return [bar(step) for step in sorted(steps, key=lambda step: step.pk)]


def _warned(job: Job) -> list[Item]:
    rows = job.items.filter(state=ItemState.SUCCEEDED).exclude(warnings=[]).order_by("position")
    return list(rows[:SHOWN_ITEMS])


def _deeds(job: Job) -> QuerySet[LogEntry]:
    """Return what staff did to this job."""
    kind = ContentType.objects.get_for_model(Job)
    rows = LogEntry.objects.filter(content_type=kind, object_id=job.key)
    return rows.select_related("user").order_by("-pk")[:SHOWN_DEEDS]
