"""Operations for the tests of the child's program; imported by the child."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from uploads.errors import InputError
from uploads.operations import Context, Output, Part, PartResult, operation, option, upload_option


@dataclass(frozen=True)
class Words:
    """What to write."""

    text: str = option("hello", "What to write.")
    logo: Path | None = upload_option("A file beside.", accepts=["*/*"])  # noqa: RUF009
    title: str = option("", "May be left out.")


@operation("child.write", label="Write", accepts=["*/*"], options=Words)
def write(source: Path, step: Context[Words]) -> Iterator[Path | Output]:
    """Write the text, the input and the logo."""
    sys.stdout.write("said aloud\n")
    if source.stat().st_size == 0:
        raise InputError("empty_file", name=step.name)
    step.report(0.25, "a quarter")
    step.warn("look at it")
    logo = step.options.logo.read_text() if step.options.logo else ""
    target = step.path("source.txt")
    target.write_text(step.options.text + source.read_text() + logo)
    yield Output(target, "preview", {"letters": 3})


@operation("child.fail", label="Fail", accepts=["*/*"], options=Words)
def fail(source: Path, step: Context[Words]) -> Iterator[Path]:
    """Fail with an error that nobody expected."""
    raise ZeroDivisionError("by nothing")
    yield source


@operation("child.slow", label="Slow", accepts=["*/*"], options=Words)
def slow(source: Path, step: Context[Words]) -> Iterator[Path]:
    """Report until it is cancelled."""
    while True:
        step.report(0.1)
        time.sleep(0.01)
    yield source


@write.plan
def cut(source: Path, step: Context[Words]) -> Sequence[Part]:
    """Cut into two parts."""
    return [Part({"half": 1}, 2.5), Part({"half": 2})]


@write.join
def glue(
    source: Path, step: Context[Words], parts: Sequence[PartResult]
) -> Iterator[Path | Output]:
    """Put the parts' files one after the other."""
    target = step.path("source.txt")
    target.write_text("".join(path.read_text() for part in parts for path in part.paths))
    yield target


@operation("child.all", label="All", accepts=["*/*"], options=Words, takes="all")
def together(sources: Sequence[Path], step: Context[Words]) -> Iterator[Path]:
    """Write how many there are."""
    target = step.path("count.txt")
    target.write_text(str(len(sources)))
    yield target


@operation("child.sample", label="Sample", accepts=["*/*"], options=Words)
def sample(source: Path, step: Context[Words]) -> Iterator[Path | Output]:
    """Write how much of 40 seconds it shall do."""
    target = step.path("source.txt")
    target.write_text("")
    yield Output(target, meta={"sample_share": step.sample_share(40.0)})
