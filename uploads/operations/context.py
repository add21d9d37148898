"""What an operation's function gets and may say while it works on one item; it knows no register."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from uploads.operations.limits import Limits
from uploads.operations.outside import Outside

O = TypeVar("O")
Json = dict[str, Any]

CHECKPOINT_BYTES = 64 * 1024


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
    `outside` is the connection that its options name. Who has connected calls `shut_network`:
    from then on this process and all that it starts get no other connection.
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
    outside: Outside | None = None
    shut_network: Callable[[], None] = lambda: None

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
