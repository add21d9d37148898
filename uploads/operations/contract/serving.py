"""Serves an operation in the real child program, shut in as a worker does it; knows no rows.

What production takes from settings is fixed here, so that it needs no set-up.
"""

import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from uploads.errors import remedy, sentence
from uploads.operations.base import Json, Operation
from uploads.operations.limits import Limits
from uploads.operations.surroundings import PYTHON, environment, homes

DEADLINE_SECONDS = 120
RULES = {"cpu_seconds": 120, "file_bytes": 10**9, "files": 256}
CHILD, STOPPED = "uploads.operations.child", "uploads.operations.contract.stopped"


@dataclass(frozen=True)
class Told:
    """What one child said: its messages, its exit status, its standard error, when it ended."""

    messages: list[Json]
    status: int = 0
    errors: str = ""
    ended_at: float = 0.0

    def of(self, kind: str) -> list[Json]:
        """Return the messages of one kind (see `uploads.operations.child`)."""
        return [message for message in self.messages if message["t"] == kind]

    @property
    def codes(self) -> list[str]:
        return [message["code"] for message in self.of("error")]

    @property
    def made(self) -> list[Path]:
        """Return the files that it named as its outputs."""
        return [Path(output["path"]) for output in self.of("output")]

    @property
    def trouble(self) -> str:
        """Say what went wrong, as its owner would read it, and where; "" when nothing did."""
        if self.status:
            name = signal.Signals(-self.status).name if self.status < 0 else self.status
            return f"The child program ended with {name}.\n{self.errors[-2000:]}"
        return "\n".join(_said(error) for error in self.of("error"))


def _said(error: Json) -> str:
    words = f"{sentence(error['code'], error['values'])} {remedy(error['code'], error['values'])}"
    return f"{error['code']}: {words}\n{error['detail']}".strip()


@cache
def layers() -> list[str]:
    """Return what this machine's kernel can close; see `uploads.operations.confine`."""
    command = [*PYTHON, "-m", "uploads.operations.confine"]
    told = subprocess.run(
        command, capture_output=True, check=True, env=environment(Path("/")), timeout=60
    )
    found = json.loads(told.stdout)
    return [name for name in ("landlock", "seccomp") if isinstance(found[name], int)]


class Room:
    """A folder in which children are served: `inputs` readable, `out` writable for them."""

    def __init__(self, folder: Path) -> None:
        self.inputs, self.out = folder / "inputs", folder / "out"
        self.inputs.mkdir(parents=True)
        self.out.mkdir()

    def item(
        self, key: str, source: Path, *, name: str = "", media_type: str = "", **facts: Any
    ) -> Json:
        """Put a copy of a file among the inputs and describe it as a child is told of it."""
        shown = name or source.name
        path = self.put(f"{key}/source{source.suffix}", source)
        return {"key": key, "name": shown, "path": path, "media_type": media_type, **facts}

    def put(self, place: str, source: Path) -> str:
        """Put a copy of a file among the inputs; return its path there."""
        path = self.inputs / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read_bytes())
        return str(path)

    def serve(
        self,
        operation: Operation[Any],
        items: Sequence[Json],
        *,
        call: str = "run",
        options: Mapping[str, Any] | None = None,
        files: Mapping[str, str] | None = None,
        limits: Json | None = None,
        program: str = CHILD,
    ) -> Told:
        """Serve one request and return what was said; raises `TimeoutExpired` after two minutes."""
        more = homes([operation.module])
        request = {
            "module": operation.module,
            "operation": operation.name,
            "call": call,
            "options": dict(options or {}),
            "files": dict(files or {}),
            "limits": dataclasses.asdict(Limits()) if limits is None else limits,
            "confine": self._rules(operation, more),
            "out": str(self.out),
            "items": [together(items)] if operation.takes == "all" else list(items),
        }
        return _run(program, json.dumps(request).encode(), environment(self.out, more))

    def _rules(self, operation: Operation[Any], more: Sequence[str]) -> Json:
        return {
            "parent": os.getpid(),
            "profile": operation.profile,
            "layers": layers(),
            "inputs": str(self.inputs),
            "out": str(self.out),
            "read": list(more),
            "limits": {**RULES, "memory_bytes": operation.memory_bytes},
        }


def together(items: Sequence[Json]) -> Json:
    """Return one item of all files, as operations that take all at once get them."""
    sources = [{"name": item["name"], "media_type": item["media_type"]} for item in items]
    paths = [item["path"] for item in items]
    return {"key": "0", "name": "job", "media_type": "", "paths": paths, "sources": sources}


def _run(program: str, request: bytes, around: Mapping[str, str]) -> Told:
    child = subprocess.Popen(
        [*PYTHON, "-m", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=around,
        start_new_session=True,
    )
    try:
        said, errors = child.communicate(request, timeout=DEADLINE_SECONDS)
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    messages = [json.loads(line) for line in said.splitlines() if line.endswith(b"}")]
    return Told(messages, child.returncode, errors.decode(errors="replace"), time.monotonic())
