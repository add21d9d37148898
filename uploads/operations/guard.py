"""Keep a watch over the child's processes: none of them outlives the worker; knows no operation.

The parent-death signal reaches one process only, not those that it started.
So the program forks: the first process becomes the guard, which adopts every
orphan below it and kills them all when its work or the worker has ended; the
second one does the work. Linux has all of this; elsewhere the guard only
looks each 50 ms whether the worker still lives.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Set
from pathlib import Path

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
LOOK_SECONDS = 1.0 if LINUX else 0.05
GIVE_UP_SECONDS = 10.0


def prctl(option: int, *values: int) -> None:
    """Call prctl(2); raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *words) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"prctl {option}")


def die_with_parent(parent: int | None = None, by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send `by` when the parent ends; ends at once if it is not `parent` any more."""
    if LINUX:
        prctl(PR_SET_PDEATHSIG, by)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def be_called(name: str) -> None:
    """Show a name, of which Linux keeps 15 bytes, in `top` and in the COMMAND column of `ps -e`."""
    if LINUX:
        text = ctypes.create_string_buffer(name.encode()[:15])
        prctl(PR_SET_NAME, ctypes.addressof(text))


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends."""
    if LINUX:
        prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> frozenset[int]:
    """Return the numbers of this process's children, zombies included; empty where /proc is not."""
    me = os.getpid()
    with contextlib.suppress(OSError):
        listed = Path(f"/proc/{me}/task/{me}/children").read_text()
        return frozenset(int(number) for number in listed.split())
    return frozenset(
        int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _parent_of(folder) == me
    )


def _parent_of(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def end_children(spare: Set[int] = frozenset()) -> int:
    """Kill and reap every child but those in `spare`, until no orphan of theirs comes up.

    Returns the largest one's peak memory, in getrusage's unit. A process that the kernel
    can't end (waiting for a dead disk) is left after 10 s.
    """
    peak = 0
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while (left := children() - spare) and time.monotonic() < give_up:
        for number in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for number in left:
            with contextlib.suppress(ChildProcessError):
                peak = max(peak, os.wait4(number, os.WNOHANG)[2].ru_maxrss)
        time.sleep(0.002)
    return peak


def stand_guard(parent: int) -> None:
    """Return in a forked process that does the work; this one stays as its guard and never returns.

    The guard ends as the work ended: the same exit code, or the same signal.
    """
    waited = {signal.SIGCHLD, signal.SIGHUP}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the group's wish to stop is for the work
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    die_with_parent(parent, signal.SIGHUP)
    adopt_orphans()
    guard = os.getpid()
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with_parent(guard)
        return
    _let_go_of_pipes()
    status = _watch(worker, parent, waited)
    end_children()
    _end_as(status)


def _let_go_of_pipes() -> None:
    """Close the pipes, so that the worker sees their end when the work has ended."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)


def _watch(worker: int, parent: int, signals: set[signal.Signals]) -> int:
    """Wait for the work's end and return its status; SIGKILL when the parent ended before."""
    while os.getppid() == parent:
        number, status = os.waitpid(-1, os.WNOHANG)
        if number == worker:
            return status
        if number == 0:
            _sleep(signals)
    return signal.SIGKILL


def _sleep(signals: set[signal.Signals]) -> None:
    if sys.platform == "linux":
        signal.sigtimedwait(signals, LOOK_SECONDS)
    else:
        time.sleep(LOOK_SECONDS)


def _end_as(status: int) -> None:
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError):  # SIGKILL has no handler to reset
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))
