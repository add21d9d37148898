"""How many files were done in each minute of the last hour, as bars of a chart; reads two indexes."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from django.db.models import Count
from django.db.models.functions import TruncMinute
from django.utils import timezone

from uploads.models import Item
from uploads.states import ItemState

MINUTES = 60
HEIGHT = 100
SLOT = 10
BAR = 7
SMALLEST = 2
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Bar:
    """One minute: `done` and `failed` files, and where the two parts of its bar are drawn."""

    minute: datetime
    done: int
    failed: int
    x: int
    done_y: int
    done_height: int
    failed_y: int
    failed_height: int


@dataclass(frozen=True)
class Chart:
    """The bars of an hour, the oldest first, under a scale that ends at a round number."""

    bars: list[Bar]
    top: int

    @property
    def done(self) -> int:
        return sum(bar.done for bar in self.bars)

    @property
    def failed(self) -> int:
        return sum(bar.failed for bar in self.bars)

    @property
    def busiest(self) -> int:
        return max(bar.done + bar.failed for bar in self.bars)

    @property
    def width(self) -> int:
        return MINUTES * SLOT

    @property
    def half(self) -> float:
        return self.top / 2 if self.top % 2 else self.top // 2


class Minutes:
    """Counts by minute; those that are over are counted once in each web process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._over: dict[ItemState, Counter[datetime]] = {}
        self._until: datetime | None = None

    def counts(self, now: datetime) -> dict[ItemState, Counter[datetime]]:
        """Return the files that ended in each minute of the last hour; two queries.

        The last two minutes are always read anew: a row may be committed a little after its time.
        """
        first = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
        with self._lock:
            since = max(first, self._until) if self._until else first
            found = {}
            for state in (ItemState.SUCCEEDED, ItemState.FAILED):
                kept = self._over.get(state, Counter())
                fresh = _counted(state, since)
                found[state] = Counter({at: n for at, n in kept.items() if first <= at < since})
                found[state].update(fresh)
            self._over = found
            self._until = now.replace(second=0, microsecond=0) - timedelta(minutes=2)
        return found

    def forget(self) -> None:
        """Count everything anew, as after a change of the database."""
        with self._lock:
            self._over, self._until = {}, None


def _counted(state: ItemState, since: datetime) -> Counter[datetime]:
    rows = (
        Item.objects.filter(state=state, finished_at__gte=since)
        .order_by()
        .annotate(minute=TruncMinute("finished_at"))
        .values("minute")
        .annotate(count=Count("pk"))
    )
    return Counter({row["minute"]: row["count"] for row in rows})


minutes = Minutes()


def throughput() -> Chart:
    """Return the chart of the last hour."""
    now = timezone.now()
    counts = minutes.counts(now)
    last = now.replace(second=0, microsecond=0)
    moments = [last - timedelta(minutes=back) for back in range(MINUTES - 1, -1, -1)]
    done, failed = counts[ItemState.SUCCEEDED], counts[ItemState.FAILED]
    top = round_up(max(done[at] + failed[at] for at in moments))
    bars = [_bar(at, place, done[at], failed[at], top) for place, at in enumerate(moments)]
    return Chart(bars, top)


def _bar(minute: datetime, place: int, done: int, failed: int, top: int) -> Bar:
    red = max(SMALLEST, round(HEIGHT * failed / top)) if failed else 0
    blue = max(SMALLEST, round(HEIGHT * done / top)) if done else 0
    return Bar(
        minute=minute,
        done=done,
        failed=failed,
        x=place * SLOT + (SLOT - BAR) // 2,
        done_y=HEIGHT - blue,
        done_height=blue,
        failed_y=max(0, HEIGHT - blue - red),
        failed_height=red,
    )


def round_up(count: int) -> int:
    """Return the next of 1, 2, 5, 10, 20, 50… that holds the count; at least 2."""
    size = 1
    while True:
        for step in STEPS:
            if step * size >= max(2, count):
                return step * size
        size *= 10
