"""What an operation is: one typed function, its options, and what it may tell its step.

An operation's function runs in a sandboxed child process. It gets a file
called `source` (whatever its owner calls it), writes files at `step.path(…)`
and yields them. It never sees a row, a queue or a socket.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

from uploads.operations.limits import Limits

O = TypeVar("O")
Json = dict[str, Any]
Profile = Literal["decode", "outbound"]
Takes = Literal["each", "all"]

CHECKPOINT_BYTES = 64 * 1024

_registered: dict[str, "Operation[Any]"] = {}


@dataclass(frozen=True)
class Output:
    """One produced file: `role` says what for, `meta` holds small JSON facts (sizes, duration).

    A name that starts with `source` is shown with the owner's file name in its place. Files
    that name each other keep their names: they lie in a folder of their own, `meta["folder"]`,
    and all but the one to open have the role `inner`. What has a name and a kind of its own, such as
    a member of an archive, says them as `meta["name"]` and `meta["media_type"]`.
    """

    path: Path
    role: Literal["result", "preview", "report", "inner"] = "result"
    meta: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """What is known of one of several inputs: its owner's name, its media type, its path or ""."""

    name: str
    media_type: str
    relative_path: str = ""


@dataclass(frozen=True)
class Part:
    """One piece of an item's work: JSON parameters and estimated seconds of one worker.

    `memory_bytes` and `disk_bytes` say what it needs where the plan knows it better than
    the operation does.
    """

    params: Json
    weight: float = 1.0
    memory_bytes: int | None = None
    disk_bytes: int | None = None


@dataclass(frozen=True)
class PartResult:
    """What the run of one part left for the join: its parameters and its files, in order."""

    params: Json
    paths: Sequence[Path]
    meta: Sequence[Json]


@dataclass(frozen=True)
class Preset:
    """A plainly named choice of options; the first one of an operation is its default."""

    name: str
    label: str
    summary: str
    options: Json


class Reporter(Protocol):
    """Where a step's news go: the worker's pipe, the terminal of `runop`, or a test."""

    def progress(self, fraction: float, note: str) -> None: ...
    def log(self, text: str, level: str) -> None: ...
    def checkpoint(self, state: Json) -> None: ...


class _Silent:
    def progress(self, fraction: float, note: str) -> None: ...
    def log(self, text: str, level: str) -> None: ...
    def checkpoint(self, state: Json) -> None: ...


@dataclass
class Context(Generic[O]):
    """What the function may know and say while it works on one item (or one part of it).

    `saved` is what an earlier run of the same work saved last by `checkpoint`, or None.
    `sample_seconds` is set in a job that only tries something out: what has a duration needs
    no more of it than that (see `sample_share`).
    `sources` describes the inputs, in their order, where the function takes all at once.
    """

    options: O
    folder: Path
    name: str = "source"
    media_type: str = "application/octet-stream"
    part: Json | None = None
    limits: Limits = field(default_factory=Limits)
    reporter: Reporter = field(default_factory=_Silent)
    files: Mapping[str, Path] = field(default_factory=dict)
    saved: Json | None = None
    sample_seconds: float | None = None
    sources: Sequence[Source] = ()

    def path(self, name: str) -> Path:
        """Return where to write the file `name`; it lies alone in this item's scratch folder."""
        if "/" in name or name in {"", ".", ".."}:
            raise ValueError(f"{name!r} is not a plain file name")
        return self.folder / name

    def report(self, fraction: float, note: str = "") -> None:
        """Tell how much of this item (or part) is done, 0…1; raises `Cancelled` when unwanted."""
        self.reporter.progress(min(1.0, max(0.0, fraction)), note)

    def checkpoint(self, state: Json) -> None:
        """Save where this item's work could go on; raises `Cancelled` when unwanted.

        `state` is JSON of at most 64 KiB (else `ValueError`). The next run, if one is needed,
        gets the last one as `saved`; of files nothing is kept.
        """
        if len(json.dumps(state)) > CHECKPOINT_BYTES:
            raise ValueError(f"a checkpoint holds at most {CHECKPOINT_BYTES} bytes of JSON")
        self.reporter.checkpoint(state)

    def sample_share(self, seconds: float) -> float:
        """Return how much of a file of so many seconds to do, 0…1; all of it unless in a sample.

        Who does less says how much in its result's meta, as `sample_share`.
        """
        wanted = seconds if self.sample_seconds is None else self.sample_seconds
        return min(1.0, wanted / seconds) if seconds > 0 else 1.0

    def log(self, text: str) -> None:
        """Add one line to the job's log."""
        self.reporter.log(text, "info")

    def warn(self, text: str) -> None:
        """Add one line that the owner must see beside the result: done, but look at it."""
        self.reporter.log(text, "warning")


RunEach = Callable[[Path, Context[O]], Iterator[Path | Output]]
RunAll = Callable[[Sequence[Path], Context[O]], Iterator[Path | Output]]
Plan = Callable[[Path, Context[O]], Sequence[Part]]
Join = Callable[[Path, Context[O], Sequence[PartResult]], Iterator[Path | Output]]


@dataclass
class Operation(Generic[O]):
    """One registered operation; everything about it follows from this and its options class.

    `seconds`, `needs_memory` and `needs_disk` estimate from an item's size in bytes its
    work on one worker, the memory that it really takes and what it writes: a host runs at
    once only what it has room for. `memory_bytes` is something else, the address space at
    which its child is stopped. A `piecewise` one heeds `Context.sample_seconds`; what
    `plays_early` can be watched while it is being made; what one that `sends` makes a worker sends.
    """

    name: str
    label: str
    summary: str
    accepts: tuple[str, ...]
    options: type[O]
    function: Callable[..., Iterator[Path | Output]]
    takes: Takes = "each"
    version: int = 1
    profile: Profile = "decode"
    lane: Literal["cpu", "light"] = "cpu"
    presets: tuple[Preset, ...] = ()
    seconds: Callable[[int], float] = lambda size: 0.1 + size / 20e6
    needs_memory: Callable[[int], int] = lambda size: 256 * 1024**2
    needs_disk: Callable[[int], int] = lambda size: 1024**2 + size
    memory_bytes: int = 4 * 1024**3
    piecewise: bool = False
    plays_early: bool = False
    sends: bool = False
    planner: Plan[O] | None = None
    joiner: Join[O] | None = None

    @property
    def module(self) -> str:
        """Name of the module that the child imports to find this operation."""
        return self.function.__module__

    @property
    def divisible(self) -> bool:
        """Tell whether one item may be worked on by several workers at once."""
        return self.planner is not None

    def accepts_type(self, media_type: str) -> bool:
        """Tell whether a file of this media type fits; `image/*` and `*/*` are patterns."""
        family = media_type.partition("/")[0] + "/*"
        return any(pattern in {media_type, family, "*/*"} for pattern in self.accepts)

    def plan(self, function: Plan[O]) -> Plan[O]:
        """Register the function that divides one item into parts (JSON, weighted)."""
        self.planner = function
        return function

    def join(self, function: Join[O]) -> Join[O]:
        """Register the function that makes one item's results from those of its parts."""
        self.joiner = function
        return function

    def run(self, source: Path, step: Context[O]) -> Iterator[Path | Output]:
        """Call the function itself, as tests do."""
        return self.function(source, step)


class _Register(Protocol[O]):
    def __call__(self, function: Callable[..., Iterator[Any]], /) -> Operation[O]: ...


class _RegisterEach(Protocol[O]):
    @overload
    def __call__(
        self, function: Callable[[Path, Context[O]], Iterator[Path]], /
    ) -> Operation[O]: ...
    @overload
    def __call__(
        self, function: Callable[[Path, Context[O]], Iterator[Path | Output]], /
    ) -> Operation[O]: ...


class _RegisterAll(Protocol[O]):
    @overload
    def __call__(
        self, function: Callable[[Sequence[Path], Context[O]], Iterator[Path]], /
    ) -> Operation[O]: ...
    @overload
    def __call__(
        self, function: Callable[[Sequence[Path], Context[O]], Iterator[Path | Output]], /
    ) -> Operation[O]: ...


@overload
def operation(
    name: str,
    *,
    label: str,
    accepts: Sequence[str],
    options: type[O],
    takes: Literal["each"] = "each",
    **facts: Any,
) -> _RegisterEach[O]: ...
@overload
def operation(
    name: str,
    *,
    label: str,
    accepts: Sequence[str],
    options: type[O],
    takes: Literal["all"],
    **facts: Any,
) -> _RegisterAll[O]: ...
def operation(
    name: str,
    *,
    label: str,
    accepts: Sequence[str],
    options: type[O],
    takes: Takes = "each",
    **facts: Any,
) -> Any:
    """Register a function as an operation; its first docstring line is the summary.

    A second operation of the same name from another place is an error: one name, one operation.
    """

    def register(function: Callable[..., Iterator[Path | Output]]) -> Operation[O]:
        summary = (function.__doc__ or label).strip().partition("\n")[0]
        made = Operation(
            name, label, summary, tuple(accepts), options, function, takes=takes, **facts
        )
        known = _registered.get(name)
        if known is not None and known.function.__module__ != function.__module__:
            raise ValueError(f"two operations are called {name!r}: {known.module}, {made.module}")
        _registered[name] = made
        return made

    return register


def registered() -> dict[str, Operation[Any]]:
    """Return the operations imported so far, by name; `registry` imports them all."""
    return _registered
