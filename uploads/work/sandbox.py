"""Run an operation's request in a confined child and say how it ended; knows no rows and no leases.

The worker calls `run_child` and gets its messages, a tick each second and an
`Exit` in the error catalogue's codes. `level` says how well this machine
shuts a child in.
"""

import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uploads.catalogue import CATALOGUE
from uploads.conf import conf
from uploads.errors import LeaseLost, StepError, TidemillError
from uploads.operations.base import CHECKPOINT_BYTES
from uploads.operations.surroundings import PYTHON, environment
from uploads.work.bounds import Bounds
from uploads.work.census import LOOK_SECONDS, Ceilings, Census, TooMuchError
from uploads.work.machine import Level, level, more_paths, oom_kills
from uploads.work.program import Chore, DeadlineError, LineTooLongError, Program

__all__ = ["Bounds", "Exit", "Level", "level", "run_child"]

Json = dict[str, Any]

CHILD = (*PYTHON, "-X", "faulthandler", "-m", "uploads.operations.child")
# Each kind of message with the types of what it must carry besides its item.
MESSAGES: dict[str, dict[str, type | tuple[type, ...]]] = {
    "start": {},
    "progress": {"value": (int, float), "note": str},
    "log": {"text": str, "level": str},
    "checkpoint": {"state": dict},
    "output": {"path": str, "role": str, "meta": dict},
    "parts": {"parts": list},
    "done": {},
    "error": {"code": str, "values": dict, "fault": str, "detail": str},
}
CHECKPOINT_LINE_BYTES = CHECKPOINT_BYTES + 1024  # with the message around it
CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS"})
NO_MEMORY = re.compile(r"failed to allocate|cannot allocate memory|out of memory|bad_alloc", re.I)
RSS_UNIT = 1024 if sys.platform == "linux" else 1  # getrusage counts KiB there, bytes on macOS


@dataclass(frozen=True)
class Exit:
    """How a child ended: a code of the catalogue with its values, "" when it served its request.

    `item` is the key of the item that it worked on when it ended early; `detail` the last 4 KB
    of its standard error; `status` the exit code, or the signal's negative number. `peak_bytes`
    is its largest process, but never below the worker's own size (the kernel's way to count).
    """

    code: str
    values: dict[str, str]
    item: str | None
    detail: str
    status: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def run_child(
    request: Json,
    bounds: Bounds,
    *,
    on_message: Callable[[Json], None],
    tick: Callable[[], None],
    tick_seconds: float = 1.0,
    machine: Level | None = None,
) -> Exit:
    """Run one request in a child and return how it ended; main thread only.

    `on_message` gets each message (see `uploads.operations.child`) in order, `tick` is called
    about each `tick_seconds`. What either raises is raised again once the child is gone:
    after SIGTERM and up to 3 s for any `Exception`, at once for `LeaseLost` and all others.
    In these 3 s it may finish an item; an error of it, which the signal may have caused, is dropped.
    Raises `StepError` (`sandbox_unavailable`) before the start. `machine` runs it as on a
    weaker machine than this one.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a child is started from the main thread only")
    text = json.dumps(_confined(request, bounds, machine or level()), default=str).encode()
    heard = _Heard(request, bounds, on_message)
    program = Program()
    begun, ooms = time.monotonic(), oom_kills()
    fault: Exception | None = None
    census: Census | None = None
    try:
        program.start(CHILD, bounds.out, environment(bounds.out, more_paths()), text)
        census = _census(program, bounds)
        chores = [Chore(tick, tick_seconds), Chore(census.look, LOOK_SECONDS)]
        program.attend(heard.line, chores, bounds.wall_seconds)
        _check_end(program, heard, ooms)
    except (_Fault, DeadlineError, LineTooLongError, TooMuchError) as error:
        fault = error
    except LeaseLost:
        raise
    except Exception:
        with contextlib.suppress(Exception):  # its own complaint must not hide the reason
            heard.stopping = True
            program.ask_to_stop(heard.line)
        raise
    finally:
        program.close()
        if census is not None:
            census.close()
    return _exit(program, heard, fault, time.monotonic() - begun)


def _exit(program: Program, heard: "_Heard", fault: Exception | None, seconds: float) -> Exit:
    code, values = "", {}
    if isinstance(fault, _Fault):
        code, values = fault.code, {name: str(value) for name, value in fault.values.items()}
    elif isinstance(fault, DeadlineError | TooMuchError):
        code = fault.code if isinstance(fault, TooMuchError) else "step_timeout"
        values = {"limit": heard.limits[code]}
    elif fault:
        code, values = "operation_bug", {"reason": "It sent a line that is too long."}
    return Exit(
        code=code,
        values=values,
        item=heard.item,
        detail=program.errors.decode(errors="replace"),
        status=program.status or 0,
        seconds=seconds,
        cpu_seconds=program.cpu_seconds,
        peak_bytes=program.peak * RSS_UNIT,
    )


def _census(program: Program, bounds: Bounds) -> Census:
    """Return what watches over all that the program starts."""
    most = Ceilings(
        memory_bytes=bounds.most_memory,
        tasks=conf.PROCESSES_MAX,
        scratch_bytes=conf.SCRATCH_MAX_BYTES,
        scratch_files=conf.SCRATCH_MAX_FILES,
    )
    return Census(program.pid, bounds.out, most)


class _Fault(TidemillError):  # noqa: N818 - the child's, not ours
    """The child ended, or has to be ended, for a reason of the catalogue."""


class _Heard:
    """What a child has said so far; a line that is no proper message is a `_Fault`."""

    def __init__(self, request: Json, bounds: Bounds, on_message: Callable[[Json], None]) -> None:
        self.out = bounds.out
        self.limits = bounds.words()
        self.left = {item["key"] for item in request["items"]}
        self.item: str | None = None
        self.stopping = False
        self._named: set[str] = set()
        self._on_message = on_message

    def line(self, line: bytes) -> None:
        """Take one line; its texts are then such that every database stores them."""
        try:
            message = json.loads(line.replace(b"\\u0000", b"\\ufffd"))
            json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
            known = self._expected(message)
        except (ValueError, TypeError, KeyError, RecursionError):
            known = False
        if not known:
            raise _Fault("operation_bug", reason="It sent a line that is no message.")
        kind, item = message["t"], message["item"]
        if kind == "output" and not self._own_file(message["path"]):
            raise _Fault("operation_bug", reason="It named an output that is no file of its own.")
        if kind == "error" and self.stopping:
            return
        if kind == "checkpoint" and len(line) > CHECKPOINT_LINE_BYTES:
            raise _Fault("operation_bug", reason="It saved a checkpoint that is too big.")
        if kind == "error" and message["code"] in self.limits:
            message["values"]["limit"] = self.limits[message["code"]]
        if kind in {"start", "done", "error"}:
            self.item = item if kind == "start" else None
        if kind in {"done", "error"}:
            self.left.discard(item)
        self._on_message(message)

    def _expected(self, message: Json) -> bool:
        """Tell whether a message is whole and may come now: one item after the other, each once."""
        kind, item = message["t"], message["item"]
        if item not in self.left:
            return False
        if not all(isinstance(message[name], kinds) for name, kinds in MESSAGES[kind].items()):
            return False
        if kind == "error" and message["code"] not in CATALOGUE:
            return False
        if kind in {"start", "error"} and self.item is None:
            return True
        return bool(kind != "start" and item == self.item)

    def _own_file(self, name: str) -> bool:
        """Tell whether an output is a plain file of this child; a link could name any other file.

        It is named once: else an endless list of it would fill the worker's memory.
        """
        if name in self._named:
            return False
        self._named.add(name)
        try:
            path = Path(name)
            straight = path.resolve(strict=True) == self.out.resolve() / path.relative_to(self.out)
            return straight and path.is_file() and path.stat().st_nlink == 1
        except (OSError, ValueError):
            return False


def _check_end(program: Program, heard: _Heard, ooms: int) -> None:
    """Raise the `_Fault` that the child's status means; `ooms` is `oom_kills()` at its start."""
    status = program.status or 0
    detail = program.errors.decode(errors="replace")
    if status < 0:
        name = signal.Signals(-status).name
        code = {"SIGXFSZ": "output_too_large", "SIGXCPU": "step_timeout"}.get(name)
        if name == "SIGKILL" and oom_kills() > ooms:
            code = "out_of_memory"
        if name in CRASHES and NO_MEMORY.search(detail):
            code = "out_of_memory"
        if code is None:
            raise _Fault("decoder_crashed", signal=name)
        raise _Fault(code, limit=heard.limits[code])
    if status > 0:
        last = detail.strip().rpartition("\n")[2][:300]
        raise _Fault("operation_bug", reason=last or f"It ended with code {status}.")
    if program.line or heard.left:
        raise _Fault("operation_bug", reason="It ended before its work was done.")


def _confined(request: Json, bounds: Bounds, machine: Level) -> Json:
    """Return the request with what `uploads.operations.confine` is told."""
    if conf.SANDBOX != "auto" and machine.name != "full":
        raise StepError("sandbox_unavailable", reason=" ".join(machine.reasons))
    rules = {
        "parent": os.getpid(),
        "profile": bounds.profile,
        "layers": machine.layers,
        "inputs": str(bounds.inputs),
        "out": str(bounds.out),
        "read": [*more_paths(), *([conf.FFMPEG] if conf.FFMPEG else [])],
        "look": list(bounds.look),
        "ports": list(bounds.ports),
        "limits": bounds.limits(),
    }
    return {**request, "out": str(bounds.out), "confine": rules}
