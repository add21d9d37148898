"""Time that nobody can set: how long things were watched, and whether the wall clock jumped; no rows.

A time in a row comes from some host's wall clock, which may be set forward or
back or differ from this one's. So whatever takes work away or deletes asks here.
See docs/decisions/0010-clocks.md.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K")

log = logging.getLogger("tidemill.sweep")

JUMP_SECONDS: Final = 2.0
DOUBT_SECONDS: Final = 24 * 3600.0


def since_boot() -> float:
    """Return the seconds since the machine's start, its sleep included where the kernel tells."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass
class Watch(Generic[K]):
    """Measures how long things have stayed as they are, on this process's own clock.

    A machine's sleep does not count: whoever it watches on the same machine slept as well.
    """

    now: Callable[[], float] = time.monotonic
    _since: dict[K, float] = field(default_factory=dict)

    def over(self, limits: Mapping[K, float]) -> set[K]:
        """Return the keys that each call since longer than their limit (seconds) has named.

        A key tells what is watched and how it stands (a token and a time); once left out, it
        is forgotten.
        """
        now = self.now()
        self._since = {key: self._since.get(key, now) for key in limits}
        return {key for key, seconds in limits.items() if now - self._since[key] > seconds}

    def forget(self) -> None:
        """Begin anew with everything: for a while nothing could change."""
        self._since = {}


@dataclass
class WallClock:
    """Notices that the wall clock was set: it then went another way than the time since boot."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = since_boot
    _offset: float | None = None
    _doubtful_until: float = 0.0

    def jump(self) -> float:
        """Return by how many seconds the clock was set since the last call; 0 for slow corrections."""
        offset = self.wall() - self.steady()
        before, self._offset = self._offset, offset
        if before is None or abs(offset - before) < JUMP_SECONDS:
            return 0.0
        self._doubtful_until = self.steady() + DOUBT_SECONDS
        return offset - before

    @property
    def doubtful(self) -> bool:
        """Tell whether a jump is so recent that the clock may be set again."""
        return self.steady() < self._doubtful_until
