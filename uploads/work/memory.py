"""How much memory this host gives to the steps that run on it; it knows no step.

A control group (a container, a systemd unit) may give less than the machine has.
"""

import contextlib
import os
from functools import cache
from pathlib import Path

from uploads.conf import conf

GROUPS = Path("/sys/fs/cgroup")


def memory_bytes() -> int:
    """Return the budget of all running steps: as set, or what is here minus the reserve."""
    if conf.WORK_MEMORY_BYTES:
        return conf.WORK_MEMORY_BYTES
    whole = total_bytes()
    return max(whole // 2, whole - conf.MEMORY_RESERVE_BYTES)


@cache
def total_bytes() -> int:
    """Return the memory of the machine, or of the tightest control group around this process."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_group_limits()])


def _group_limits() -> list[int]:
    """Return the limits of the groups around this process, versions 1 and 2."""
    paths = [GROUPS / "memory" / "memory.limit_in_bytes"]
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            group = GROUPS / line.rpartition(":")[2].lstrip("/")
            paths += [folder / "memory.max" for folder in (group, *group.parents)]
    limits = []
    for path in paths:
        with contextlib.suppress(OSError, ValueError):  # no such group, or no limit ("max")
            limits.append(int(path.read_text()))
    return limits
