"""What staff may do to a job: the models' own verbs, why they refuse, and the words for both."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction

from uploads.errors import RequestError
from uploads.models import Job
from uploads.models.deeds import note

LARGEST_PRIORITY = 100
GONE = "is gone"


@dataclass(frozen=True)
class JobVerb:
    """One command: its words, the permission it needs, how it is done, and why a job refuses it.

    `run` takes the job, the actor's name and the priority (of use to one verb only) and tells
    whether it changed the job. `refusal` is empty when the job would take the command.
    """

    name: str
    label: str
    icon: str
    done: str
    permission: Literal["change", "delete"]
    run: Callable[[Job, str, int], bool]
    refusal: Callable[[Job, int], str]
    asks: str = ""


def _not_pausable(job: Job, priority: int) -> str:
    if job.is_paused:
        return "was paused already"
    return _not_cancellable(job, priority)


def _not_cancellable(job: Job, priority: int) -> str:
    if job.is_finished:
        return "had ended"
    return "was being cancelled already" if job.is_cancelling else ""


def _not_resumable(job: Job, priority: int) -> str:
    return "" if job.is_paused else "was not paused"


def _not_retryable(job: Job, priority: int) -> str:
    if not job.is_finished:
        return "had not ended"
    return "" if job.retryable else "had nothing to retry"


def _not_movable(job: Job, priority: int) -> str:
    if job.is_finished:
        return "had ended"
    return "had this priority" if job.priority == priority else ""


def _never(job: Job, priority: int) -> str:
    return ""


def _set_priority(job: Job, actor: str, priority: int) -> bool:
    job.set_priority(priority, actor)
    return True


def _remove(job: Job, actor: str, priority: int) -> bool:
    job.remove(actor)
    return True


VERBS: tuple[JobVerb, ...] = (
    JobVerb(
        "pause", "Pause", "pause", "paused", "change", lambda j, who, _: j.pause(who), _not_pausable
    ),
    JobVerb(
        "resume",
        "Resume",
        "play",
        "resumed",
        "change",
        lambda j, who, _: j.resume(who),
        _not_resumable,
    ),
    JobVerb(
        "retry",
        "Retry",
        "retry",
        "retried",
        "change",
        lambda j, who, _: j.retry(who) > 0,
        _not_retryable,
    ),
    JobVerb(
        "priority",
        "Set priority",
        "sort",
        "got the new priority",
        "change",
        _set_priority,
        _not_movable,
    ),
    JobVerb(
        "cancel",
        "Cancel",
        "close",
        "cancelled",
        "change",
        lambda j, who, _: j.cancel(who),
        _not_cancellable,
        asks="What is finished stays; the rest can be run again later.",
    ),
    JobVerb(
        "remove",
        "Delete",
        "trash",
        "deleted",
        "delete",
        _remove,
        _never,
        asks="They go with their results and the uploads that no other job uses; what still runs "
        "is cancelled first. This can't be undone.",
    ),
)
BY_NAME = {verb.name: verb for verb in VERBS}


def possible(job: Job, verb: JobVerb) -> bool:
    """Tell whether a job's page offers the command now."""
    if verb.name == "priority":
        return not job.is_finished
    return not verb.refusal(job, job.priority)


def read_priority(value: str) -> int:
    """Return a priority that somebody typed; raises `RequestError` (`bad_request`)."""
    try:
        priority = int(value.replace("\u2212", "-"))
    except ValueError:
        priority = LARGEST_PRIORITY + 1
    if abs(priority) > LARGEST_PRIORITY:
        raise RequestError("bad_request", reason="a priority is a whole number from −100 to 100.")
    return priority


def obey(user: Any, verb: JobVerb, job: Job, priority: int = 0) -> str:
    """Do it to one job; return why not, or an empty text when it is done.

    One transaction with the row that records it.
    """
    key, name = job.key, job.name
    try:
        with transaction.atomic():
            why = verb.refusal(job, priority)
            if not why and not verb.run(job, user.get_username(), priority):
                job.refresh_from_db()
                why = verb.refusal(job, priority) or "changed meanwhile"
            if not why:
                note(
                    user,
                    told(verb, priority),
                    "done.",
                    key=key,
                    name=name,
                    is_deletion=verb.name == "remove",
                )
    except ObjectDoesNotExist:
        return GONE
    except RequestError as error:
        return str(error.values.get("reason", error.text)).rstrip(".")
    return why


def told(verb: JobVerb, priority: int) -> str:
    """Return the command as the record names it."""
    return f"Set priority to {priority}" if verb.name == "priority" else verb.label


def counted(verb: JobVerb, count: int, priority: int) -> str:
    """Return the command with its number of jobs: `Retry 3 jobs`, `Set priority of 8 jobs to 10`."""
    if verb.name == "priority":
        return f"Set priority of {_jobs(count)} to {priority}"
    return f"{verb.label} {_jobs(count)}"


def outcome(verb: JobVerb, done: int, refused: Counter[str]) -> str:
    """Return what happened: `3 jobs paused. 2 left as they were: 1 had ended, 1 was paused already.`"""
    words = f"{_jobs(done)} {verb.done}."
    if not refused:
        return words
    whys = ", ".join(f"{count:,} {why}" for why, count in refused.most_common())
    return f"{words} {refused.total():,} left as {'it was' if refused.total() == 1 else 'they were'}: {whys}."


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
