"""The one reader of a job for pages, sockets and scripts: its row, its steps, its events.

All are read at one moment: what is told was true, and no event with a lower number can follow.
It knows nothing of sockets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from uploads.models.event import Event
from uploads.models.job import Job
from uploads.models.moment import one_moment
from uploads.models.snapshot import snapshot

Json = dict[str, Any]
TAIL = 500


@dataclass(frozen=True)
class Cut:
    """A job as it stands at `seq`, and its events with a number above `since`."""

    seq: int
    since: int
    state: Json
    events: list[list[Any]]
    settled: bool

    def message(self, after: int | None) -> Json:
        """Return what a reader needs that has seen everything up to `after` (None: nothing).

        `patch` carries the events in between, `snap` tells to load the page's parts anew
        because the reader is more than 500 behind.
        """
        if after is None or after > self.seq or after < self.since:
            return {"t": "snap", "seq": self.seq, "state": self.state, "ev": []}
        tail = [event for event in self.events if event[0] > after]
        return {"t": "patch", "prev": after, "seq": self.seq, "state": self.state, "ev": tail}


def cut(job_pk: int, cursors: Iterable[int | None]) -> Cut:
    """Return one cut that serves all these readers; raises `Job.DoesNotExist`."""
    with one_moment():
        return _cut(Job.objects.get(pk=job_pk), cursors)


def _cut(job: Job, cursors: Iterable[int | None]) -> Cut:
    near = [c for c in cursors if c is not None and job.seq - TAIL <= c <= job.seq]
    since = min(near, default=job.seq)
    events = Event.objects.filter(job=job, seq__gt=since, seq__lte=job.seq).order_by("seq")
    told = [event.as_json() for event in events] if since < job.seq else []
    settled = job.settled_at is not None
    return Cut(seq=job.seq, since=since, state=snapshot(job), events=told, settled=settled)
