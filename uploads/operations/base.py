"""What an operation is: one typed function, its options, and what it may tell its step.

An operation's function runs in a sandboxed child process. It gets a file
called `source` (whatever its owner calls it), writes files at `step.path(…)`
and yields them. It never sees a row, a queue or a socket.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, overload

from uploads.operations.context import CHECKPOINT_BYTES, Context, Json, O, Output, Source

__all__ = [
    "CHECKPOINT_BYTES",
    "Context",
    "Json",
    "Operation",
    "Output",
    "Part",
    "PartResult",
    "Plan",
    "Preset",
    "Profile",
    "Source",
    "Takes",
    "operation",
    "registered",
]

Profile = Literal["decode", "outbound"]
Takes = Literal["each", "all", "none"]

_registered: dict[str, "Operation[Any]"] = {}


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


RunEach = Callable[[Path, Context[O]], Iterator[Path | Output]]
RunAll = Callable[[Sequence[Path], Context[O]], Iterator[Path | Output]]
RunAlone = Callable[[Context[O]], Iterator[Path | Output]]
Plan = Callable[[Path, Context[O]], Sequence[Part]]
Join = Callable[[Path, Context[O], Sequence[PartResult]], Iterator[Path | Output]]


@dataclass
class Operation(Generic[O]):
    """One registered operation; everything about it follows from this and its options class.

    `seconds`, `needs_memory` and `needs_disk` estimate from an item's size in bytes its
    work on one worker, the memory that it really takes and what it writes: a host runs at once
    only what it has room for. Where the options change the work much, `seconds_by` estimates it. At `memory_bytes` of address space its child is stopped. A `piecewise`
    one heeds `Context.sample_seconds`; what `plays_early` can be watched while it is being made;
    what one that `sends` makes a worker sends; a `reusable` one makes the same of the same.
    `lacks` says in a sentence what this machine needs first, for any options or for these.
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
    seconds_by: Callable[[int, O], float] | None = None
    needs_memory: Callable[[int], int] = lambda size: 256 * 1024**2
    needs_disk: Callable[[int], int] = lambda size: 1024**2 + size
    memory_bytes: int = 4 * 1024**3
    piecewise: bool = False
    plays_early: bool = False
    sends: bool = False
    reusable: bool = True
    planner: Plan[O] | None = None
    joiner: Join[O] | None = None
    looker: Callable[..., Iterator[Output]] | None = None
    lacks: Callable[[O | None], str] | None = None

    @property
    def module(self) -> str:
        """Name of the module that the child imports to find this operation."""
        return self.function.__module__

    @property
    def divisible(self) -> bool:
        """Tell whether one item may be worked on by several workers at once."""
        return self.planner is not None

    @property
    def starts(self) -> bool:
        """Tell whether it needs no file: it can only be the first one of a job."""
        return self.takes == "none"

    def estimate(self, size: int, options: O | None) -> float:
        """Return the seconds that one worker takes for so many bytes; options as far as known."""
        if self.seconds_by is None or options is None:
            return self.seconds(size)
        return self.seconds_by(size, options)

    def missing(self, options: O | None = None) -> str:
        """Return what this machine lacks for it, for any options or these, as a sentence; else ""."""
        return "" if self.lacks is None else self.lacks(options)

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

    def look(self, function: Callable[..., Iterator[Output]]) -> Callable[..., Iterator[Output]]:
        """Register the function that says as JSON what can be asked; it gets what `run` gets."""
        self.looker = function
        return function

    def run(
        self, source: Path | Sequence[Path] | None, step: Context[O]
    ) -> Iterator[Path | Output]:
        """Call the function itself, as tests do; what needs no file gets none."""
        return self.function(step) if self.starts else self.function(source, step)


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


class _RegisterAlone(Protocol[O]):
    @overload
    def __call__(self, function: Callable[[Context[O]], Iterator[Path]], /) -> Operation[O]: ...
    @overload
    def __call__(
        self, function: Callable[[Context[O]], Iterator[Path | Output]], /
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
@overload
def operation(
    name: str,
    *,
    label: str,
    accepts: Sequence[str],
    options: type[O],
    takes: Literal["none"],
    **facts: Any,
) -> _RegisterAlone[O]: ...
def operation(
    name: str,
    *,
    label: str,
    accepts: Sequence[str],
    options: type[O],
    takes: Takes = "each",
    **facts: Any,
) -> Any:
    """Register a function as an operation, a name once; its first docstring line is the summary."""

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
