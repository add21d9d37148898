"""Operations that break one promise each; imported by the child, too."""

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uploads.operations import Context, InputError, Operation, Part, Preset, operation, option

SEEN: list[str] = []
MADE: dict[str, Operation[Any]] = {}


@dataclass(frozen=True)
class Bare:
    size: int = 3


@dataclass(frozen=True)
class Plain:
    size: int = option(3, "How much.", min=1)


def bad(function: Any, options: type = Plain, label: str = "Bad") -> Any:
    """Register a function as an operation that is well described."""
    name = f"bad.{function.__name__}"
    presets = (Preset("all", "All", "All of it.", {}),) if options is Plain else ()
    made: Operation[Any] = operation(
        name, label=label, accepts=["text/*"], options=options, presets=presets
    )(function)
    MADE[function.__name__] = made
    return made


def copied(source: Path, step: Context[Any], name: str = "source.txt") -> Path:
    step.report(0.5)
    target = step.path(name)
    target.write_bytes(source.read_bytes())
    return target


@bad
def unexplained(source: Path, step: Context[Plain]) -> Iterator[Path]:
    yield copied(source, step)


@bad
def percent(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Report percents."""
    for number in range(0, 101, 10):
        step.report(number)
    yield copied(source, step)


@bad
def falling(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Report two phases, each from its beginning."""
    step.report(0.9, "reading")
    step.report(0.1, "writing")
    yield copied(source, step)


@bad
def silent(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Say nothing."""
    target = step.path("source.txt")
    target.write_bytes(source.read_bytes())
    yield target


@bad
def deaf(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Go on when nobody wants it any more."""
    try:
        step.report(0.5)
    except Exception:
        step.log("never mind")
    target = step.path("source.txt")
    target.write_bytes(source.read_bytes())
    yield target


@bad
def slow_to_stop(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Take long to tidy up."""
    try:
        yield copied(source, step)
    except BaseException:
        time.sleep(4)
        raise


@bad
def by_chance(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Write other bytes each time."""
    target = copied(source, step)
    target.write_bytes(os.urandom(16))
    yield target


@bad
def untidy(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Leave a file behind."""
    copied(source, step, "notes.tmp")
    yield copied(source, step)


@bad
def elsewhere(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Yield the input itself."""
    copied(source, step)
    yield source


@bad
def nameless(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Call every result the same."""
    yield copied(source, step, "result.txt")


@bad
def empty_handed(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Make nothing."""
    step.report(1.0)
    yield from ()


@bad
def trusting(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Take every file for UTF-8."""
    source.read_text(encoding="utf-8")
    yield copied(source, step)


@bad
def short_of_words(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Refuse without saying what."""
    if b"\xff" in source.read_bytes():
        raise InputError.because("Bad file.", "Send a good one.")
    yield copied(source, step)


@bad
def unknown_word(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Refuse with a code that is in no catalogue."""
    if b"\xff" in source.read_bytes():
        raise InputError("no_poem", name=step.name)
    yield copied(source, step)


@bad
def resentful(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Remember a bad file."""
    if b"\xff" in source.read_bytes():
        SEEN.append(step.name)
    if SEEN:
        raise InputError.because(f"“{step.name}” comes too late.")
    yield copied(source, step)


@bad
def curious(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Ask the network."""
    step.report(0.1)
    socket.create_connection(("127.0.0.1", 9), timeout=1)
    yield copied(source, step)


def undivided(source: Path, step: Context[Plain]) -> Iterator[Path]:
    """Plan parts without weight."""
    yield copied(source, step, "part.txt")


def no_options(source: Path, step: Context[Bare]) -> Iterator[Path]:
    """Leave options unexplained, and have no preset."""
    yield copied(source, step)


bad(no_options, Bare)
bad(undivided)


@MADE["undivided"].plan
def cut(source: Path, step: Context[Plain]) -> list[Part]:
    return [Part({"at": 0}, weight=0)]


@MADE["undivided"].join
def put_together(source: Path, step: Context[Plain], parts: Any) -> Iterator[Path]:
    yield copied(parts[0].paths[0], step)
