"""Limits of lanes: how many steps of one may run at once on all hosts together; rows, set live.

The claim counts (`claiming.py`); the verb is in `holding.py`.
"""

from typing import Any, Final

from django.db import models
from django.utils import timezone

from uploads.errors import RequestError
from uploads.models.hold import LANE_WORDS
from uploads.states import Lane

LARGEST: Final = 1000
NO_NUMBER: Final = (
    f"a limit is a whole number from 1 to {LARGEST}; to let nothing run, pause the lane."
)


class LaneLimit(models.Model):
    """How many steps of a lane may run at once; without a row, as many as there are workers."""

    lane = models.CharField(max_length=10, unique=True)
    max_inflight = models.PositiveIntegerField()
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["lane"]
        verbose_name = "limit"
        default_permissions = ()  # it goes with the right to pause

    def __str__(self) -> str:
        return self.lane


def checked(most: Any) -> int:
    """Return a limit, a whole number; raises `RequestError` (`bad_request`) for anything else."""
    if type(most) is int and 1 <= most <= LARGEST:
        return most
    raise RequestError("bad_request", reason=NO_NUMBER)


def read_limit(typed: str) -> int | None:
    """Return the limit that somebody typed, None for an empty field: no limit.

    Raises `RequestError` (`bad_request`).
    """
    typed = typed.strip()
    return checked(int(typed) if typed.isascii() and typed.isdigit() else None) if typed else None


def known_lane(name: str) -> Lane:
    """Return the lane of this name; raises `RequestError` (`bad_request`) when there is none."""
    if name in list(Lane):
        return Lane(name)
    raise RequestError("bad_request", reason=f"there is no lane “{name[:60]}”.")


def limit_words(lane: str, most: int) -> str:
    """Return what a limit says, for reading: `At most 2 steps of heavy work run at once`."""
    what = LANE_WORDS.get(lane, f"the lane {lane}")
    steps, run = ("step", "runs") if most == 1 else ("steps", "run")
    return f"At most {most} {steps} of {what} {run} at once"
