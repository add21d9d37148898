"""The filters of the list of jobs, as data; each finds its rows by an index or a short look-up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from uploads.catalogue import CATALOGUE
from uploads.models import Item, Job, Stage, Step, Worker
from uploads.operations.registry import operations
from uploads.states import ItemState, JobState

SHOWN_OWNERS = 30
SHOWN_WORKERS = 30
RECENT_ITEMS = 2000
WORKER_DAYS = 7
Jobs = QuerySet[Job]
Choices = list[tuple[str, str]]

SPANS: dict[str, tuple[str, timedelta]] = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "older": ("Older than 7 days", timedelta(days=7)),
}
WINDOWS = ("hour", "day", "week")


@dataclass(frozen=True)
class Filter:
    """One filter: its parameter, its words, and what it leaves of the rows.

    `choices` are offered as links; with a `hint` any other value may be typed. A day is
    offered in the list of the filter that it is `within`.
    `narrow` raises ValueError, or OverflowError for a day beyond the calendar, for a value that
    means nothing.
    """

    name: str
    label: str
    narrow: Callable[[Jobs, str], Jobs]
    choices: Callable[[], Choices] = list
    hint: str = ""
    within: str = ""


def _states() -> Choices:
    words = {
        "receiving": "Receiving",
        "queued": "Waiting",
        "running": "Running",
        "succeeded": "Done",
        "partial": "Partly done",
        "failed": "Failed",
        "cancelled": "Cancelled",
    }
    states = [(state.value, words[state.value]) for state in JobState]
    return [("unfinished", "Unfinished"), *states, ("troubled", "With failed files")]


def _by_state(rows: Jobs, value: str) -> Jobs:
    if value == "unfinished":
        return rows.filter(finished_at=None)
    if value == "troubled":
        return rows.exclude(finished_at=None).filter(items_failed__gt=0)
    return rows.filter(state=JobState(value))


def _by_pause(rows: Jobs, value: str) -> Jobs:
    unfinished = rows.filter(finished_at=None)
    return (
        unfinished.exclude(paused_at=None) if value == "yes" else unfinished.filter(paused_at=None)
    )


def owner_names() -> list[str]:
    """Return the names of people who have jobs, at most 30 by the alphabet; one query."""
    theirs = Job.objects.filter(owner=OuterRef("pk"))
    people = get_user_model().objects.filter(Exists(theirs)).order_by("username")
    return list(people.values_list("username", flat=True)[:SHOWN_OWNERS])


def _owners() -> Choices:
    return [(name, name) for name in owner_names()]


def _by_owner(rows: Jobs, value: str) -> Jobs:
    people = get_user_model().objects.filter(username=value).values_list("pk", flat=True)
    return rows.filter(owner__in=list(people))


def _operations() -> Choices:
    return [(operation.name, operation.label) for operation in operations().values()]


def _by_operation(rows: Jobs, value: str) -> Jobs:
    return rows.filter(Exists(Stage.objects.filter(job=OuterRef("pk"), operation=value)))


def _errors() -> Choices:
    """Return the errors of late, read from the newest failed files alone."""
    newest = Item.objects.filter(state=ItemState.FAILED).exclude(finished_at=None)
    codes = newest.order_by("-finished_at").values_list("error_code", flat=True)[:RECENT_ITEMS]
    return [(code, code) for code in sorted(set(codes)) if code]


def _by_error(rows: Jobs, value: str) -> Jobs:
    if value not in CATALOGUE:
        raise ValueError(value)
    items = Item.objects.filter(state=ItemState.FAILED, error_code=value)
    return rows.filter(pk__in=items.values("job"))


def _by_failure(rows: Jobs, value: str) -> Jobs:
    """Return the jobs of which a file failed in a window of time."""
    if value not in WINDOWS:
        raise ValueError(value)
    since = timezone.now() - SPANS[value][1]
    items = Item.objects.filter(state=ItemState.FAILED, finished_at__gte=since)
    return rows.filter(pk__in=items.values("job"))


def _windows() -> Choices:
    return [(name, SPANS[name][0]) for name in WINDOWS]


def _workers() -> Choices:
    rows = Worker.objects.order_by("host", "lane", "pid")[:SHOWN_WORKERS]
    return [(f"{row.host}:{row.pid}", f"{row.lane} · {row.host} · {row.pid}") for row in rows]


def _by_worker(rows: Jobs, value: str) -> Jobs:
    """Return the jobs that a worker (`host` or `host:pid`) holds or held a step of, of a week."""
    host, _, pid = value.partition(":")
    steps = Step.objects.filter(job=OuterRef("pk"), lease_owner__startswith=f"{host}:")
    if pid:
        steps = steps.filter(lease_owner__contains=f":{int(pid)}:")
    since = timezone.now() - timedelta(days=WORKER_DAYS)
    return rows.filter(Q(finished_at=None) | Q(finished_at__gte=since)).filter(Exists(steps))


def _priorities() -> Choices:
    return [("raised", "Raised"), ("normal", "Normal"), ("lowered", "Lowered")]


def _by_priority(rows: Jobs, value: str) -> Jobs:
    if value == "raised":
        return rows.filter(priority__gt=0)
    if value == "lowered":
        return rows.filter(priority__lt=0)
    return rows.filter(priority=0 if value == "normal" else int(value))


def _by_age(rows: Jobs, value: str) -> Jobs:
    if value not in SPANS:
        raise ValueError(value)
    moment = timezone.now() - SPANS[value][1]
    older = value == "older"
    return rows.filter(created_at__lt=moment) if older else rows.filter(created_at__gte=moment)


def _midnight(value: str) -> datetime:
    day = datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007 - made aware below
    return timezone.make_aware(day).astimezone(UTC)


def _from(rows: Jobs, value: str) -> Jobs:
    return rows.filter(created_at__gte=_midnight(value))


def _to(rows: Jobs, value: str) -> Jobs:
    return rows.filter(created_at__lt=_midnight(value) + timedelta(days=1))


def _ages() -> Choices:
    return [(name, words) for name, (words, _) in SPANS.items()]


FILTERS: tuple[Filter, ...] = (
    Filter("state", "State", _by_state, _states),
    Filter("owner", "Owner", _by_owner, _owners, hint="User name"),
    Filter("operation", "Operation", _by_operation, _operations),
    Filter("error", "Error", _by_error, _errors, hint="Error code"),
    Filter("failed", "Files failed", _by_failure, _windows),
    Filter("worker", "Worker", _by_worker, _workers, hint="host or host:pid"),
    Filter("paused", "Paused", _by_pause, lambda: [("yes", "Paused"), ("no", "Not paused")]),
    Filter("priority", "Priority", _by_priority, _priorities, hint="−100 to 100"),
    Filter("age", "Sent", _by_age, _ages),
    Filter("from", "From", _from, within="age"),
    Filter("to", "Until", _to, within="age"),
)
BY_NAME = {one.name: one for one in FILTERS}


def search(rows: Jobs, text: str) -> Jobs:
    """Return the jobs of this key, this owner, or with this text in the name.

    The names are looked through in their own index first: a tenth of reading the rows.
    """
    owners = get_user_model().objects.filter(username=text).values_list("pk", flat=True)
    named: QuerySet[Any] = Job.objects.filter(name__icontains=text).order_by().values("pk")
    return rows.filter(Q(key=text) | Q(owner__in=list(owners)) | Q(pk__in=named))
