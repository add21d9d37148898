"""One command to all jobs that match: in batches that a request can afford, each job once.

The batch travels as a signed text in the page's form, so no row remembers it: who closes the
page has stopped it, and every job says for itself what became of it. It knows no requests.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from django.core import signing
from django.db.models import Max

from uploads.admin.matching import Matching
from uploads.admin.verbs import BY_NAME, JobVerb, obey, outcome, told
from uploads.errors import RequestError
from uploads.models.deeds import note

SALT = "console.batch"
KEEP_SECONDS = 86400
BATCH_SECONDS = 3.0
CHUNK = 50


@dataclass
class Batch:
    """A command on its way through the jobs that matched when it was given.

    `until` is the newest of them, `after` the last that was asked; `refused` counts by reason.
    """

    verb_name: str
    query: str
    user: int
    total: int
    until: int
    priority: int = 0
    after: int = 0
    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, user: Any, verb: JobVerb, matching: Matching, priority: int) -> Self:
        """Return the command to all that match now, not yet begun."""
        rows = matching.rows()
        newest = rows.aggregate(newest=Max("pk"))["newest"] or 0
        query = matching.query()
        return cls(verb.name, query, user.pk, rows.count(), newest, priority)

    @classmethod
    def read(cls, user: Any, text: str) -> Self:
        """Return the batch of a form; raises `RequestError` unless this user was given it."""
        try:
            values = signing.loads(text, salt=SALT, max_age=KEEP_SECONDS)
        except signing.BadSignature:
            raise RequestError("bad_request", reason="the form is too old.") from None
        batch = cls(**{**values, "refused": Counter(values["refused"])})
        if batch.user != user.pk:
            raise RequestError("forbidden")
        return batch

    def text(self) -> str:
        """Return the batch for the next form."""
        return signing.dumps({**vars(self), "refused": dict(self.refused)}, salt=SALT)

    @property
    def verb(self) -> JobVerb:
        return BY_NAME[self.verb_name]

    @property
    def matching(self) -> Matching:
        return Matching.parse(self.query)

    @property
    def asked(self) -> int:
        """Return how many jobs have had their turn."""
        return self.done + self.refused.total()

    def advance(self, user: Any, seconds: float = BATCH_SECONDS) -> bool:
        """Go on for a while; True when all have had their turn, which is written down.

        Repeating a batch is safe: a job that obeyed refuses the same command the next time.
        """
        deadline = time.monotonic() + seconds
        rows = self.matching.rows().filter(pk__lte=self.until).order_by("pk")
        while jobs := list(rows.filter(pk__gt=self.after)[:CHUNK]):
            for job in jobs:
                self.after = job.pk
                why = obey(user, self.verb, job, self.priority)
                if why:
                    self.refused[why] += 1
                else:
                    self.done += 1
                if time.monotonic() >= deadline:
                    return self._ended(user, rows.filter(pk__gt=self.after).exists())
        return self._ended(user, more=False)

    def _ended(self, user: Any, more: bool) -> bool:
        if not more:
            which = "; ".join(self.matching.words()) or "all jobs"
            result = outcome(self.verb, self.done, self.refused)
            note(user, f"{told(self.verb, self.priority)} (all that match)", result, name=which)
        return not more
