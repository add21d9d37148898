"""What the console's page of one job shows; reads rows, changes nothing."""

from typing import Any

from django.db.models import QuerySet

from uploads.admin.overview import job_rows
from uploads.admin.timeline import timeline
from uploads.admin.verbs import VERBS, possible
from uploads.models import Event, Item, Job, Stage
from uploads.models.deeds import of_job
from uploads.states import ItemState

SHOWN_ITEMS = 50
SHOWN_EVENTS = 100


def page_context(job: Job, allowed: set[str]) -> dict[str, Any]:
    """Return the page's context; `allowed` holds the permissions `change` and `delete`."""
    stages = Stage.objects.filter(job=job)
    failed = job.items.filter(state=ItemState.FAILED).select_related("upload").order_by("position")
    events: QuerySet[Event] = job.events.order_by("-seq")[:SHOWN_EVENTS]
    return {
        "job": job,
        "row": job_rows([job])[0],
        "options": [option for stage in stages for option in _options(stage)],
        "verbs": [verb for verb in VERBS if verb.permission in allowed and possible(job, verb)],
        "timeline": timeline(job),
        "failed_items": failed[:SHOWN_ITEMS],
        "failed_more": max(0, job.items_failed - SHOWN_ITEMS),
        "warned_items": _warned(job),
        "results_bytes": job.results.bytes_taken(),
        "events": events,
        "deeds": of_job(job),
    }


def _options(stage: Stage) -> list[tuple[str, str]]:
    """Return the chosen options for reading; what was left open is not told."""
    chosen = {name: value for name, value in stage.options.items() if value not in (None, "", [])}
    return [(name.replace("_", " ").capitalize(), _plain(value)) for name, value in chosen.items()]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _warned(job: Job) -> list[Item]:
    rows = job.items.filter(state=ItemState.SUCCEEDED).exclude(warnings=[]).order_by("position")
    return list(rows[:SHOWN_ITEMS])
