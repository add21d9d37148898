"""What failed lately, grouped by error and operation: for the console's pages; changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from uploads.admin.filters import SPANS
from uploads.errors import remedy
from uploads.models import Item
from uploads.operations.registry import operations
from uploads.states import ItemState

LOOKED_AT = 20_000


@dataclass(frozen=True)
class Failure:
    """One error of one operation: how often, how many jobs, when last, and the latest as example.

    `ended` are the jobs that a retry may be asked of: the others still run.
    """

    code: str
    operation: str
    window: str
    items: int
    jobs: int
    ended: int
    last_at: datetime
    example: Item

    @property
    def label(self) -> str:
        """Return the operation's name for people."""
        found = operations().get(self.operation)
        return found.label if found else self.operation

    @property
    def fix(self) -> str:
        return remedy(self.code, self.example.error_values)

    @property
    def query(self) -> str:
        """Return the parameters of the list of its jobs that have ended: as many as `ended`."""
        return "?" + urlencode(
            {
                "state": "troubled",
                "operation": self.operation,
                "error": self.code,
                "failed": self.window,
            }
        )


def _newest(window: str) -> QuerySet[Item]:
    since = timezone.now() - SPANS[window][1]
    rows = Item.objects.filter(state=ItemState.FAILED, finished_at__gte=since)
    return rows.order_by("-finished_at")[:LOOKED_AT]


def failures(window: str = "day") -> list[Failure]:
    """Return the groups of a window (one of `WINDOWS`), the most frequent first; two queries.

    Looks at the newest 20,000 failed files at most, by their index.
    """
    rows = (
        Item.objects.filter(pk__in=_newest(window).values("pk"))
        .order_by()
        .values("error_code", "stage__operation")
        .annotate(
            items=Count("pk"),
            jobs_=Count("job", distinct=True),
            ended=Count("job", distinct=True, filter=~Q(job__finished_at=None)),
            last_at=Max("finished_at"),
            latest=Max("pk"),
        )
    )
    groups = sorted(rows, key=lambda row: (-row["items"], row["error_code"]))
    examples = Item.objects.select_related("job").in_bulk([row["latest"] for row in groups])
    return [
        Failure(
            code=row["error_code"],
            operation=row["stage__operation"],
            window=window,
            items=row["items"],
            jobs=row["jobs_"],
            ended=row["ended"],
            last_at=row["last_at"],
            example=examples[row["latest"]],
        )
        for row in groups
        if row["latest"] in examples
    ]


def failed_items(window: str = "day") -> int:
    """Return how many files failed in a window, counted up to 20,000; one query."""
    return _newest(window).count()
