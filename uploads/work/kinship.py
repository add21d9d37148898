"""Who dies with whom: parent-death signals, adopted orphans, and a look at /proc; no Django.

Linux only; elsewhere these do nothing and see nothing, and a process that
outlives its parent has to be ended by hand.
"""

import contextlib
import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Process:
    """One process as the kernel sees it; `state` is a letter, `start_time` ticks since boot."""

    pid: int
    state: str
    parent: int
    session: int
    start_time: str
    rss_bytes: int


def die_with(parent: int, number: signal.Signals) -> None:
    """Ask the kernel to send this process a signal when its parent dies; call it in the child.

    The kernel watches the *thread* that forked, so fork from the main thread.
    A parent that died before the call is noticed, and this process ends at once.
    """
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, to reap or kill it."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def look(pid: int) -> Process | None:
    """Return a process, or None if there is none (man 5 proc: /proc/PID/stat)."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text()
        # The name in brackets may hold spaces and brackets itself.
        fields = text.rpartition(")")[2].split()
        resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        return Process(pid, fields[0], int(fields[1]), int(fields[3]), fields[19], resident)
    return None


def everyone() -> list[Process]:
    """Return every process that this one may see."""
    names = (path.name for path in Path("/proc").glob("[0-9]*"))
    found = (look(int(name)) for name in names)
    return [process for process in found if process is not None]
