"""The room that this host has for one more step, as the claim wants to know it."""

from uploads.conf import conf
from uploads.models.claiming import Room
from uploads.storage import store
from uploads.work.memory import memory_bytes
from uploads.work.presence import local_prefix


def here() -> Room:
    """Return this host's room now: its budget of memory, and its free disk above the reserve."""
    free = store.free_bytes() - conf.DISK_RESERVE_BYTES
    return Room(local_prefix(), memory_bytes(), max(0, free))
