"""Operations for tests: their files say how they shall behave."""

import errno
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from uploads.errors import InputError, StepError
from uploads.operations import Context, Output, Part, PartResult, Preset, operation, option


@dataclass(frozen=True)
class CopyOptions:
    shout: bool = option(False, "Write in capitals.")
    pause: float = option(0.0, "Work this long on each file.", min=0, max=600, unit="seconds")


def _behave(text: str, name: str, step: "Context[CopyOptions]") -> None:
    word = text.strip().split("\n")[0]
    if word == "bad":
        raise InputError("not_an_image", name=name)
    if word == "flaky":
        raise StepError("tool_failed", tool="copier", reason="no luck")
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "full":
        raise OSError(errno.ENOSPC, "No space left on device")
    if word == "damaged by a full disk":
        raise InputError("image_damaged", name=name, reason="No space left on device")
    if word == "bug":
        raise RuntimeError("a bug")
    if word == "warn":
        step.warn("looks odd")
    _linger(step.options.pause, step)


def _linger(seconds: float, step: "Context[CopyOptions]") -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        step.report(1 - left / seconds, "copying")
        time.sleep(min(0.05, left))


@operation(
    "test.copy",
    label="Copy",
    accepts=["text/*"],
    options=CopyOptions,
    seconds=lambda size: 1.0,
)
def copy(source: Path, step: Context[CopyOptions]) -> Iterator[Path]:
    """Copy a text file."""
    text = source.read_text()
    _behave(text, step.name, step)
    target = step.path("source.txt")
    target.write_text(text.upper() if step.options.shout else text)
    yield target


@operation(
    "test.lines",
    label="Lines",
    accepts=["text/*"],
    options=CopyOptions,
    seconds=lambda size: 1.0,
)
def lines(source: Path, step: Context[CopyOptions]) -> Iterator[Output]:
    """Shout each line of a file, one part a line."""
    assert step.part is not None
    line = source.read_text().splitlines()[int(step.part["line"])]
    _behave(line, step.name, step)
    target = step.path("line.txt")
    target.write_text(line.upper() + "\n")
    yield Output(target, meta={"shout": step.options.shout})


@lines.plan
def plan_lines(source: Path, step: Context[CopyOptions]) -> Sequence[Part]:
    text = source.read_text()
    if text.startswith("bad plan"):
        raise InputError("not_an_image", name=step.name)
    if text.startswith("slow plan"):
        _linger(60, step)
    return [Part({"line": number}, weight=1.0) for number in range(len(text.splitlines()))]


@lines.join
def join_lines(
    source: Path, step: Context[CopyOptions], parts: Sequence[PartResult]
) -> Iterator[Output]:
    if source.read_text().startswith("slow join"):
        _linger(60, step)
    target = step.path("source-shouted.txt")
    target.write_text("".join(part.paths[0].read_text() for part in parts))
    told = [step.options.shout, *(meta["shout"] for part in parts for meta in part.meta)]
    yield Output(target, meta={"lines": len(parts), "shout": told})


@dataclass(frozen=True)
class FailOptions:
    fail: bool = option(False, "Fail every file.")


@operation("test.fails", label="Fails", accepts=["text/*"], options=FailOptions)
def fails(source: Path, step: Context[FailOptions]) -> Iterator[Path]:
    """Copy a text file, or fail as the options say."""
    if step.options.fail:
        raise InputError("not_an_image", name=step.name)
    target = step.path("source.txt")
    target.write_text(source.read_text())
    yield target


@operation("test.split", label="Split", accepts=["text/*"], options=CopyOptions)
def split(source: Path, step: Context[CopyOptions]) -> Iterator[Path]:
    """Write each line to a file of its own; one that begins with “picture” is no text."""
    for number, line in enumerate(source.read_text().splitlines(), start=1):
        _behave(line, step.name, step)
        is_picture = line.startswith("picture")
        target = step.path(f"source-{number}.{'png' if is_picture else 'txt'}")
        target.write_bytes((b"\x89PNG\r\n\x1a\n" if is_picture else b"") + line.encode())
        yield target


@operation("test.all", label="All", accepts=["text/*"], options=CopyOptions, takes="all")
def together(sources: Sequence[Path], step: Context[CopyOptions]) -> Iterator[Path]:
    """Put all files together."""
    target = step.path("all.txt")
    target.write_text("".join(source.read_text() for source in sources))
    yield target


@operation("test.fat", label="Fat", accepts=["text/*"], options=CopyOptions)
def fat(source: Path, step: Context[CopyOptions]) -> Iterator[Path]:
    """Write as many mebibytes as the file says, slowly enough to be watched."""
    target = step.path("source.bin")
    with target.open("wb") as file:
        for _ in range(int(source.read_text().split()[0])):
            file.write(os.urandom(1024 * 1024))
            file.flush()
            step.report(0.5)
            time.sleep(0.05)
    yield target


LACKS = "An operator installs it: pip install 'cloth'."


@operation(
    "test.lacks",
    label="Weave",
    accepts=["text/*"],
    options=CopyOptions,
    lacks=lambda options: "" if options and options.shout else LACKS,
)
def lacking(source: Path, step: Context[CopyOptions]) -> Iterator[Path]:
    """Need something that no machine has, unless it is done in capitals."""
    target = step.path("source.txt")
    target.write_text(source.read_text())
    yield target


@dataclass(frozen=True)
class AloneOptions:
    lines: int = option(3, "So many lines are made.", min=1, max=1000)


@operation(
    "test.alone",
    label="Make lines",
    accepts=[],
    options=AloneOptions,
    takes="none",
    presets=[Preset("three", "Three lines", "Makes three lines.", {})],
)
def alone(step: Context[AloneOptions]) -> Iterator[Path]:
    """Write lines without being given any."""
    target = step.path("source.txt")
    with target.open("w") as file:
        for number in range(step.options.lines):
            file.write(f"line {number}\n")
            step.report((number + 1) / step.options.lines)
    yield target
