"""The one reader of a job for pages, sockets and scripts: its row first, then its events.

It reads in autocommit, for a transaction would take SQLite's write lock. Because the row is
read first, an event with a higher number may exist already but is not told yet; nothing with
a lower one can follow. It knows nothing of sockets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from uploads.models.event import Event
from uploads.models.job import Job
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

    def message(self, after: int | None) -> Json:
        """Return what a reader needs that has seen everything up to `after` (None: nothing).

        `patch` carries the events in between, `snap` tells to load the page's parts anew
        because the reader is more than 500 behind.
        """
        if after is None or after > self.seq or after < self.since:
            return {"t": "snap", "seq": self.seq, "state": self.state, "ev": []}
        tail = [event for event in self.events if event[0] > after]
        return {"t": "patch", "prev": after, "seq": self.seq, "state": self.state, "ev": tail}


def cut(job: Job, cursors: Iterable[int | None]) -> Cut:
    """Return one cut that serves all these readers; `job` is its row, just read."""
    near = [c for c in cursors if c is not None and job.seq - TAIL <= c <= job.seq]
    since = min(near, default=job.seq)
    events = Event.objects.filter(job=job, seq__gt=since, seq__lte=job.seq).order_by("seq")
    told = [event.as_json() for event in events] if since < job.seq else []
    return Cut(seq=job.seq, since=since, state=snapshot(job), events=told)


def read(key: str, after: int | None) -> Json | None:
    """Return the message for one reader of the job of this key, or None without such a job."""
    job = Job.objects.filter(key=key).first()
    return cut(job, [after]).message(after) if job else None
