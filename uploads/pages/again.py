"""Run again: a job's files, operation and options as the new-job page would send them."""

from dataclasses import dataclass
from typing import Any

from uploads.errors import RequestError
from uploads.models import Job
from uploads.models.stage import own_options_of, upload_keys
from uploads.pages.links import as_sent
from uploads.work.presets import find_preset


@dataclass(frozen=True)
class Again:
    """What the new-job page starts with: upload keys, operation, and its form filled in."""

    keys: list[str]
    operation: str
    data: dict[str, Any]
    own: dict[str, dict[str, Any]]


def from_preset(user: Any, key: str) -> Again:
    """Return a preset of this user as a new request without files."""
    preset = find_preset(user, key)
    data = as_sent([(stage["operation"], stage["options"]) for stage in preset.stages])
    return Again([], str(data["operation"]), {**data, "names": preset.names}, {})


def again(user: Any, key: str) -> Again:
    """Return a job of this user as a new request; files that are gone are left out later.

    Raises `not_found` for anybody else's job.
    """
    job = Job.objects.visible_to(user).filter(key=key).first()
    if job is None:
        raise RequestError("not_found")
    stages = list(job.stages.order_by("position"))
    data = as_sent([(stage.operation, stage.options) for stage in stages])
    return Again(
        keys=upload_keys(job),
        operation=stages[0].operation,
        data={**data, "names": job.names},
        own=own_options_of(job),
    )
