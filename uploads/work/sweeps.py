"""The sweeps in their order."""

from uploads.work import presence
from uploads.work.sweeper import Sweep

SWEEPS: tuple[Sweep, ...] = (Sweep("workers", presence.refresh, every_seconds=10),)
