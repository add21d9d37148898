"""A look at the kernel's table of processes; no Django.

Linux only; elsewhere it sees nothing, and a process that outlives its parent
has to be ended by hand.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process as the kernel sees it; `state` is a letter, `start_time` ticks since boot."""

    pid: int
    state: str
    parent: int
    session: int
    start_time: str
    rss_bytes: int


def look(pid: int) -> Process | None:
    """Return a process, or None if there is none (man 5 proc: /proc/PID/stat)."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text()
        # The name in brackets may hold spaces and brackets itself.
        fields = text.rpartition(")")[2].split()
        resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        return Process(pid, fields[0], int(fields[1]), int(fields[3]), fields[19], resident)
    return None


def family(root: int) -> Iterator[int]:
    """Return the pids of a process and all below it; those that end meanwhile may be among them."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())


def everyone() -> list[Process]:
    """Return every process that this one may see."""
    names = (path.name for path in Path("/proc").glob("[0-9]*"))
    found = (look(int(name)) for name in names)
    return [process for process in found if process is not None]
