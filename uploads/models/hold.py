"""Holds: pauses of all work, of a lane or of one person's jobs; rows, so they survive restarts.

A job's own pause is on its row (`wishes.py`); the verbs are in `holding.py`.
"""

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from uploads.conf import conf
from uploads.states import Lane

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ALL = "all"
LANE_WORDS: dict[str, str] = {Lane.CPU: "heavy work", Lane.LIGHT: "planning and e-mails"}


def lane_place(lane: str) -> str:
    """Return the place of a lane's hold."""
    return f"lane:{lane}"


def lane_places(lane: str) -> tuple[str, str]:
    """Return the places whose hold keeps a whole lane."""
    return (ALL, lane_place(lane))


def owner_place(owner_id: int) -> str:
    """Return the place of the hold on one person's jobs."""
    return f"owner:{owner_id}"


def quota_place(owner_id: int) -> str:
    """Return the place of the hold on the jobs that one person over quota has not begun."""
    return f"quota:{owner_id}"


def place_words(place: str, username: str = "") -> str:
    """Return a place for reading: `all work`, `lane cpu`, `all jobs of alice`."""
    if username:
        return f"all jobs of {username}"
    return "all work" if place == ALL else place.replace("lane:", "lane ")


class HoldQuerySet(models.QuerySet["Hold"]):
    def concerning(self, owner_id: int | None) -> Self:
        """Return what holds steps of one person's jobs, among others or alone."""
        return self.filter(Q(owner=None) | Q(owner=owner_id))


class Hold(models.Model):
    """One pause; `place` says of what: `all`, `lane:cpu`, `owner:7`, `quota:7`."""

    place = models.CharField(max_length=40, unique=True)
    owner: "models.ForeignKey[User | None, User | None]" = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    owner_id: int | None
    held_at = models.DateTimeField(default=timezone.now)
    held_by = models.CharField(max_length=150)
    by_staff = models.BooleanField(default=True, help_text="Only staff may lift it.")

    spares_begun = models.BooleanField(default=False, help_text="Jobs that have begun go on.")

    objects = HoldQuerySet.as_manager()

    class Meta:
        ordering = ["place"]

    def __str__(self) -> str:
        return self.place

    @property
    def lane(self) -> str:
        """Return the lane that it holds, empty for another place."""
        return self.place.removeprefix("lane:") if self.place.startswith("lane:") else ""

    @property
    def text(self) -> str:
        """Return what is held and by whom, as a sentence."""
        if self.spares_begun:
            size = filesizeformat(conf.QUOTA_BYTES)
            return f"Over quota: all {size} are used. It begins when jobs or uploads are deleted."
        if self.owner:
            return f"All jobs of {self.owner.get_username()} are paused by {self.held_by}."
        if not self.lane:
            return f"All work is paused by {self.held_by}."
        words = LANE_WORDS.get(self.lane, f"the lane {self.lane}").capitalize()
        return f"{words} {'are' if self.lane == Lane.LIGHT else 'is'} paused by {self.held_by}."
