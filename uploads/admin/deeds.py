"""The record of what staff did: one row of Django's log for every command, with its result."""

from typing import Any

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet

from uploads.models import Job

SHOWN = 30


def note(
    user: Any,
    command: str,
    result: str,
    *,
    about: type[Model] = Job,
    key: str = "",
    name: str = "",
    is_deletion: bool = False,
) -> LogEntry:
    """Write down who did what to which thing, and what came of it, as `Cancel: done.`

    In the command's own transaction a row says exactly what became true.
    """
    return LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(about),
        object_id=key,
        object_repr=name[:200],
        action_flag=DELETION if is_deletion else CHANGE,
        change_message=f"{command}: {result}",
    )


def of_job(job: Job) -> QuerySet[LogEntry]:
    """Return what staff did to this job, the newest first."""
    kind = ContentType.objects.get_for_model(Job)
    rows = LogEntry.objects.filter(content_type=kind, object_id=job.key)
    return rows.select_related("user").order_by("-pk")[:SHOWN]
