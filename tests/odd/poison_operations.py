"""Operations that end badly, or that can be stopped midway: each file says how, in words."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from uploads.operations import Cancelled, Context, operation, option

Deed = Callable[[Context["Dose"], int], None]
DEEDS: dict[str, Deed] = {}


@dataclass(frozen=True)
class Dose:
    pause: float = option(0.0, "Wait this long at each beat.", min=0, max=60, unit="seconds")


@operation(
    "test.poison",
    label="Poison",
    accepts=["text/*"],
    options=Dose,
    seconds=lambda size: 0.01,
    memory_bytes=1024**3,
)
def poison(source: Path, step: Context[Dose]) -> Iterator[Path]:
    """Do what the file's first word says, with the number behind it, and copy the file."""
    word, _, number = source.read_text().partition(" ")
    target = step.path("source.txt")
    target.write_text(source.read_text())
    if deed := DEEDS.get(word):
        deed(step, int(number or 0))
    yield target


def deed(function: Deed) -> Deed:
    DEEDS[function.__name__] = function
    return function


@deed
def wait(step: Context[Dose], seconds: int) -> None:
    """Wait in good order."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        step.report(1 - left / seconds)
        time.sleep(0.02)


@deed
def last(step: Context[Dose], seconds: int) -> None:
    """Wait until somebody wants it stopped, and get done all the same."""
    with contextlib.suppress(Cancelled):
        wait(step, seconds)


@deed
def program(step: Context[Dose], seconds: int) -> None:
    """Let a program do the work, and never ask how it ended."""
    step.report(0.1)
    subprocess.run(["/bin/sleep", str(seconds)], check=False)


@deed
def count(step: Context[Dose], most: int) -> None:
    """Count up, go on where an earlier run stopped, and say where this one began."""
    begun = number = (step.saved or {"number": 0})["number"]
    while number < most:
        number += 1
        time.sleep(step.options.pause)
        step.checkpoint({"number": number})
        step.report(number / most)
    step.path("source.txt").write_text(f"from {begun} to {number}")


@deed
def count_and_fail(step: Context[Dose], most: int) -> None:
    """Count one up, then fail as if it might pass, until it has been tried often enough."""
    number = (step.saved or {"number": 0})["number"] + 1
    step.checkpoint({"number": number})
    if number < most:
        raise RuntimeError("not yet")
    step.path("source.txt").write_text(f"from {number - 1} to {number}")


@deed
def hoard(step: Context[Dose], size: int) -> None:
    """Save more than there is room for."""
    step.checkpoint({"text": "x" * size})


@deed
def hang(step: Context[Dose], number: int) -> None:
    step.report(0.1)
    while True:
        time.sleep(60)


@deed
def deaf(step: Context[Dose], number: int) -> None:
    """Ignore the wish to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    step.report(0.1)
    while True:
        time.sleep(60)


@deed
def die(step: Context[Dose], number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@deed
def shoot(step: Context[Dose], number: int) -> None:
    """Kill who watches over it."""
    os.kill(os.getppid(), signal.SIGKILL)
    hang_on(step)


@deed
def daemon(step: Context[Dose], number: int) -> None:
    """Leave a process without parent or group behind that ignores SIGTERM, and hang."""
    if os.fork() == 0:
        try:
            os.setsid()
        except PermissionError:
            sys.stderr.write("no session of its own\n")
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        os._exit(0)
    os.wait()
    hang_on(step)


@deed
def breed(step: Context[Dose], times: int) -> None:
    """Double so many times, as fast as it goes."""
    for _ in range(times):
        with contextlib.suppress(OSError):
            os.fork()
    time.sleep(600)


@deed
def herd(step: Context[Dose], number: int) -> None:
    """Have so many children that each take 100 MB."""
    for _ in range(number):
        if os.fork() == 0:
            kept = bytearray(os.urandom(1024)) * 100_000
            time.sleep(600 + len(kept) % 2)
    hang_on(step)


@deed
def files(step: Context[Dose], number: int) -> None:
    """Write so many small files, then hang."""
    for name in range(number):
        step.path(f"{name}").write_text("x")
    hang_on(step)


@deed
def fill(step: Context[Dose], megabytes: int) -> None:
    """Write files of 1 MB each, then hang."""
    for name in range(megabytes):
        step.path(f"{name}").write_bytes(bytes(1 << 20))
    hang_on(step)


@deed
def hide(step: Context[Dose], number: int) -> None:
    """Fill the disk with files of 15 MB that have no name any more, then hang."""
    kept = []
    for _ in range(number):
        kept.append(step.path("hidden").open("wb"))
        step.path("hidden").unlink()
        kept[-1].write(bytes(15 << 20))
        kept[-1].flush()
    hang_on(step)


@deed
def shout(step: Context[Dose], number: int) -> None:
    """Print, log and report without end, a daemon beside it."""
    if os.fork() == 0:
        daemon(step, number)
    while True:
        os.write(2, b"again and again\n" * 4096)
        step.log("again")
        step.report(0.5, "and again")


@deed
def open_all(step: Context[Dose], number: int) -> None:
    kept = [step.path("open").open("w") for _ in range(number)]
    raise AssertionError(f"{len(kept)} files are open")


@deed
def bug(step: Context[Dose], number: int) -> None:
    raise RuntimeError("a bug on line one\nand more of it")


def hang_on(step: Context[Dose]) -> None:
    step.report(0.1)
    time.sleep(600)


@deed
def eat(step: Context[Dose], megabytes: int) -> None:
    kept = bytearray(megabytes << 20)
    hang_on(step)
    del kept


@deed
def grow(step: Context[Dose], megabytes: int) -> None:
    """Write one big file."""
    with step.path("big").open("wb") as file:
        for _ in range(megabytes):
            file.write(bytes(1 << 20))


@deed
def spin(step: Context[Dose], number: int) -> None:
    """Compute in so many processes without end."""
    step.report(0.1)
    for _ in range(number - 1):
        if os.fork() == 0:
            break
    while True:
        pass
