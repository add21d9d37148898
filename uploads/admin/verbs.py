"""What staff may do to jobs, one or many: the models' own verbs, counted in words and kept on record."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType

from uploads.errors import RequestError
from uploads.models import Job

PRIORITY_STEP = 10
LARGEST_PRIORITY = 100


@dataclass(frozen=True)
class JobVerb:
    """One command: its words, the permission it needs, and a function that tells if it changed a job."""

    name: str
    label: str
    icon: str
    done: str
    permission: Literal["change", "delete"]
    run: Callable[[Job, str], bool]


def _retry(job: Job, actor: str) -> bool:
    try:
        return job.retry(actor) > 0
    except RequestError:
        return False


def _shift(by: int) -> Callable[[Job, str], bool]:
    def shift(job: Job, actor: str) -> bool:
        priority = max(-LARGEST_PRIORITY, min(LARGEST_PRIORITY, job.priority + by))
        if job.is_finished or priority == job.priority:
            return False
        job.set_priority(priority, actor)
        return True

    return shift


def _remove(job: Job, actor: str) -> bool:
    job.remove(actor)
    return True


VERBS: tuple[JobVerb, ...] = (
    JobVerb("pause", "Pause", "pause", "paused", "change", Job.pause),
    JobVerb("resume", "Resume", "play", "resumed", "change", Job.resume),
    JobVerb("cancel", "Cancel", "close", "cancelled", "change", Job.cancel),
    JobVerb("retry", "Retry what failed", "retry", "retried", "change", _retry),
    JobVerb("sooner", "Sooner", "upload", "moved up", "change", _shift(PRIORITY_STEP)),
    JobVerb("later", "Later", "download", "moved down", "change", _shift(-PRIORITY_STEP)),
    JobVerb("remove", "Delete", "trash", "deleted", "delete", _remove),
)
BY_NAME = {verb.name: verb for verb in VERBS}


def obey(user: Any, verb: JobVerb, jobs: Iterable[Job]) -> tuple[int, int]:
    """Do it to each job; return how many changed and how many did not need it.

    One transaction a job; each change is written to Django's log of staff's deeds.
    """
    changed = unchanged = 0
    for job in jobs:
        key, name, pk = job.key, job.name, job.pk
        if Job.objects.filter(pk=pk).exists() and verb.run(job, user.get_username()):
            _note(user, verb, key, name)
            changed += 1
        else:
            unchanged += 1
    return changed, unchanged


def _note(user: Any, verb: JobVerb, key: str, name: str) -> None:
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(Job),
        object_id=key,
        object_repr=name[:200],
        action_flag=DELETION if verb.name == "remove" else CHANGE,
        change_message=verb.done.capitalize() + ".",
    )


def outcome(verb: JobVerb, changed: int, unchanged: int) -> str:
    """Return what happened, such as `3 jobs paused; 1 job needed nothing.`"""
    words = f"{_jobs(changed)} {verb.done}"
    return f"{words}; {_jobs(unchanged)} needed nothing." if unchanged else f"{words}."


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"


def possible(job: Job, verb: JobVerb) -> bool:
    """Tell whether a job's page offers the command now."""
    offers = {
        "pause": not job.is_finished and not job.is_paused and not job.is_cancelling,
        "resume": job.is_paused,
        "cancel": not job.is_finished and not job.is_cancelling,
        "retry": job.retryable,
        "sooner": not job.is_finished and job.priority < LARGEST_PRIORITY,
        "later": not job.is_finished and job.priority > -LARGEST_PRIORITY,
        "remove": True,
    }
    return offers[verb.name]
