"""The program of the sandboxed child: one request in, JSON lines out, then it ends.

Reads one JSON object from standard input:

    {"module", "operation", "call": "run" | "plan" | "join" | "look", "options": {…},
     "files": {option: path}, "limits": {…}, "confine": {…} | null, "out": folder,
     "sample_seconds": seconds | null, "outside": connection | null,
     "items": [{"key", "name", "media_type", "path" | "paths", "sources", "part", "parts", "saved",
                "options": its own}]}

and writes one JSON object a line to the descriptor that was its standard output:

    {"t": "start",    "item": key}
    {"t": "progress", "item": key, "value": 0…1, "note": text}
    {"t": "log",      "item": key, "text": text, "level": "info" | "warning"}
    {"t": "checkpoint", "item": key, "state": {…}}
    {"t": "output",   "item": key, "path": path, "role": role, "meta": {…}}
    {"t": "parts",    "item": key, "parts": [{"params": {…}, "weight": seconds}]}
    {"t": "done",     "item": key}
    {"t": "error",    "item": key, "code", "values", "fault": "input" | "step", "detail": text}

An error ends its item only; the next one goes on. The worker ends a step by
SIGTERM to the process group, which `step.report` turns into `Cancelled`, and
by SIGKILL three seconds later. An item that gets done meanwhile counts, unless
it ran a program: that one may have obeyed the signal and left half a file.
"""

import dataclasses
import errno
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from uploads.errors import Cancelled, InputError, StepError, TidemillError
from uploads.operations.base import Context, Operation, Output, PartResult, Source, registered
from uploads.operations.confine import confine, shut_network
from uploads.operations.guard import die_with_parent, stand_guard
from uploads.operations.limits import Limits
from uploads.operations.options import fields_of, parse_options
from uploads.operations.outside import Outside, found

DETAIL_CHARACTERS = 4000
PROGRESS_SECONDS = 0.05
EXHAUSTED = {
    errno.EFBIG: "output_too_large",
    errno.ENOSPC: "disk_full",
    errno.EMFILE: "too_many_open",
}


class Pipe:
    """Writes messages as whole lines; a line is one `write`, so lines never mix."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, **message: Any) -> None:
        text = json.dumps(message, ensure_ascii=False, default=str)
        line = memoryview(text.encode("utf-8", "replace") + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]


class PipeReporter:
    """Carries one item's news to the worker; raises `Cancelled` once SIGTERM has come.

    An operation may report each line of a big file: only what people could see is sent.
    """

    def __init__(self, pipe: Pipe, item: Any, stopping: Callable[[], bool]) -> None:
        self._pipe = pipe
        self._item = item
        self._stopping = stopping
        self._note = ""
        self._told_at = -PROGRESS_SECONDS

    def progress(self, fraction: float, note: str) -> None:
        if self._stopping():
            raise Cancelled
        now = time.monotonic()
        if now - self._told_at < PROGRESS_SECONDS and note == self._note and fraction < 1:
            return
        self._told_at, self._note = now, note
        self._pipe.send(t="progress", item=self._item, value=round(fraction, 4), note=note)

    def log(self, text: str, level: str) -> None:
        self._pipe.send(t="log", item=self._item, text=text[:2000], level=level)

    def checkpoint(self, state: dict[str, Any]) -> None:
        self._pipe.send(t="checkpoint", item=self._item, state=state)
        if self._stopping():
            raise Cancelled


class Child:
    """One request being served."""

    reporter = PipeReporter

    def __init__(self, request: dict[str, Any], pipe: Pipe, outside: Outside | None = None) -> None:
        self.request = request
        self.outside = outside
        self.pipe = pipe
        self.stopping = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def serve(self, operation: Operation[Any]) -> None:
        """Work on every item of the request, one after the other."""
        for item in self.request["items"]:
            if self.stopping:
                return
            self.pipe.send(t="start", item=item["key"])
            programs = _programs_ended()
            try:
                self._work(operation, item)
            except Cancelled:
                return
            except Exception as error:
                told = describe(error)
                self.pipe.send(t="error", item=item["key"], **told)
                # What is left would count against the next one's limits; on a full disk it
                # tells how much room is needed.
                if told["code"] != "disk_full":
                    shutil.rmtree(Path(self.request["out"]) / str(item["key"]), ignore_errors=True)
            else:
                if self._is_shaken(programs):
                    return
                self.pipe.send(t="done", item=item["key"])

    def _is_shaken(self, programs_before: int) -> bool:
        """Tell whether SIGTERM may have spoilt the item just done: its programs got it as well."""
        return self.stopping and _programs_ended() != programs_before

    def _work(self, operation: Operation[Any], item: dict[str, Any]) -> None:
        step = self._context(operation, item)
        # The worker's host need not have what the web server's has.
        if lacks := operation.missing(step.options):
            raise StepError("operation_lacks", operation=operation.label, reason=lacks)
        source = self._source(item)
        given = () if operation.starts else (source,)
        if self.request["call"] == "look":
            assert operation.looker is not None
            self._collect(item, operation.looker(*given, step))
            return
        if self.request["call"] == "plan":
            assert operation.planner is not None
            parts = operation.planner(source, step)
            self.pipe.send(
                t="parts", item=item["key"], parts=[dataclasses.asdict(part) for part in parts]
            )
            return
        if self.request["call"] == "join":
            assert operation.joiner is not None
            parts_done = [
                PartResult(part["params"], [Path(p) for p in part["paths"]], part["meta"])
                for part in item["parts"]
            ]
            self._collect(item, operation.joiner(source, step, parts_done))
            return
        self._collect(item, operation.function(*given, step))

    def _source(self, item: dict[str, Any]) -> Any:
        """Return the item's path, or those of all files, or None where there is none."""
        if "paths" in item:
            return [Path(path) for path in item["paths"]]
        return Path(item["path"]) if "path" in item else None

    def _context(self, operation: Operation[Any], item: dict[str, Any]) -> Context[Any]:
        folder = Path(self.request["out"]) / str(item["key"])
        folder.mkdir(parents=True, exist_ok=True)
        files = {name: Path(path) for name, path in self.request.get("files", {}).items()}
        values = {**self.request["options"], **item.get("options", {})}
        options = parse_options(operation.options, values)
        uploads = {f.name for f in fields_of(operation.options) if f.type == "upload"}
        if uploads:
            options = dataclasses.replace(options, **{name: files.get(name) for name in uploads})
        return Context(
            options=options,
            folder=folder,
            name=item["name"],
            media_type=item["media_type"],
            part=item.get("part"),
            limits=Limits(**self.request["limits"]),
            reporter=self.reporter(self.pipe, item["key"], lambda: self.stopping),
            files=files,
            saved=item.get("saved"),
            sample_seconds=self.request.get("sample_seconds"),
            sources=[Source(**facts) for facts in item.get("sources", [])],
            outside=self.outside,
            shut_network=lambda: shut_network(self.request.get("confine")),
        )

    def _collect(self, item: dict[str, Any], outputs: Iterable[Path | Output]) -> None:
        for made in outputs:
            output = made if isinstance(made, Output) else Output(made)
            self.pipe.send(
                t="output",
                item=item["key"],
                path=str(output.path),
                role=output.role,
                meta=output.meta,
            )


def _programs_ended() -> int:
    """Return a number that grows whenever a program that this process ran has ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt


def find(module: str, name: str) -> Operation[Any]:
    """Import the module and return its operation; raises `StepError` (`operation_gone`)."""
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
    if name not in registered():
        raise StepError("operation_gone", operation=name)
    return registered()[name]


def describe(error: Exception) -> dict[str, Any]:
    """Return an error as the fields of a message; what has no code is the operation's own fault."""
    if isinstance(error, TidemillError):
        fault = "input" if isinstance(error, InputError) else "step"
        detail = str(error.values.get("detail", ""))
        values = {name: str(value) for name, value in error.values.items() if name != "detail"}
        return {"code": error.code, "values": values, "fault": fault, "detail": detail}
    if isinstance(error, MemoryError):
        return {"code": "out_of_memory", "values": {}, "fault": "step", "detail": ""}
    if isinstance(error, OSError) and error.errno in EXHAUSTED:
        code = EXHAUSTED[error.errno]
        return {"code": code, "values": {}, "fault": "step", "detail": str(error)}
    lines = "".join(traceback.format_exception(error))
    return {
        "code": "operation_bug",
        "values": {"reason": f"{type(error).__name__}: {error}"[:300]},
        "fault": "step",
        "detail": lines[-DETAIL_CHARACTERS:],
    }


def main(kind: type[Child] = Child) -> None:
    """Serve the request on standard input; what the operation prints goes to standard error."""
    die_with_parent()
    request = json.load(sys.stdin)
    if rules := request.get("confine"):
        stand_guard(rules["parent"])
    pipe = Pipe(os.dup(1))
    os.dup2(2, 1)
    try:
        outside = found(request)
        confine(request.get("confine"))
        operation = find(request["module"], request["operation"])
    except Exception as error:
        for item in request["items"]:
            pipe.send(t="error", item=item["key"], **describe(error))
        return
    kind(request, pipe, outside).serve(operation)
    # The request is served: no library's shutdown may crash or hang that away.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
