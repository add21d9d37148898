"""What this machine gives a confined child: its level, the folders it imports from; knows no request.

The level is tried out, not guessed: a program puts each layer on itself.
"""

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from uploads.conf import conf
from uploads.operations.confine import PACKAGE, program_folders
from uploads.operations.landlock import ABI_SCOPE
from uploads.operations.registry import operations
from uploads.operations.surroundings import PYTHON, environment, homes

TRIAL = (*PYTHON, "-m", "uploads.operations.confine")


@dataclass(frozen=True)
class Level:
    """How well a child is shut in here: `full` closes files and network; reasons are sentences.

    A full level may have reasons as well: what an older kernel leaves open beside those.
    """

    name: Literal["full", "reduced"]
    reasons: tuple[str, ...]
    layers: tuple[str, ...]


def more_paths() -> list[str]:
    """Return the folders of operations that lie outside this Python's own."""
    named = [str(Path(p).resolve()) for p in conf.OPERATIONS_PATH.split(os.pathsep) if p]
    found = homes(operation.module for operation in operations().values())
    return list(dict.fromkeys([*named, *found]))


def level() -> Level:
    """Say what this machine gives; a process's first call tries it out in a program (0.1 s)."""
    found = _tried()
    layers, reasons = [], []
    if isinstance(found["landlock"], int):
        layers.append("landlock")
    else:
        reasons.append(f"Operations can read and write other files ({found['landlock']}).")
    if found["seccomp"] is True:
        layers.append("seccomp")
    else:
        reasons.append(f"Operations can open the network ({found['seccomp']}).")
    data = Path(conf.DATA).resolve()
    for folder in [*program_folders(), *map(Path, more_paths())]:
        if data.is_relative_to(folder.resolve()):
            reasons.append(f"The data folder lies in {folder}, which operations may read.")
    name: Literal["full", "reduced"] = "reduced" if reasons else "full"
    if isinstance(found["landlock"], int) and found["landlock"] < ABI_SCOPE:
        reasons.append("Operations can send signals to Tidemill's processes (before Linux 6.12).")
    return Level(name, tuple(reasons), tuple(layers))


@cache
def _tried() -> dict[str, Any]:
    """Let a program try each layer on itself."""
    try:
        done = subprocess.run(
            TRIAL,
            env=environment(PACKAGE.parent),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return {"landlock": str(error), "seccomp": str(error)}
    return found


def oom_kills() -> int:
    """Return how many processes this machine's kernel has killed for want of memory."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
