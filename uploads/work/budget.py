"""What this host gives to one more step, as the claim wants to know it."""

from uploads.conf import conf
from uploads.models.claiming import Budget
from uploads.storage import store
from uploads.work.memory import memory_bytes
from uploads.work.presence import local_prefix


def here() -> Budget:
    """Return this host's budget now: memory for all its steps, and its free disk above the reserve."""
    free = store.free_bytes() - conf.DISK_RESERVE_BYTES
    return Budget(local_prefix(), memory_bytes(), max(0, free))
