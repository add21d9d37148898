"""Who a worker is: host, boot, pid and start time, so that a reused pid is never taken for it."""

import os
import socket
from functools import cache
from pathlib import Path


@cache
def local_prefix() -> str:
    """Return the beginning of every identity of this host since its last boot."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        boot = "-"
    return f"{socket.gethostname()}:{boot}:"


def start_time(pid: int) -> str | None:
    """Return the kernel's start time of a process (clock ticks since boot), None when it is gone.

    A zombie counts as gone: it runs nothing any more.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else fields[19]


def me() -> str:
    """Return this process's identity: `host:boot:pid:start`."""
    return f"{local_prefix()}{os.getpid()}:{start_time(os.getpid())}"


def pid_of(identity: str) -> int:
    """Return the pid in an identity."""
    return int(identity.rsplit(":", 2)[1])


def alive(identity: str) -> bool:
    """Tell whether a process of this host still runs under this identity."""
    pid, start = identity.rsplit(":", 2)[1:]
    return start_time(int(pid)) == start
