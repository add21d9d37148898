"""The benchmark's task as an operation: work for a while, idly or not, and make one small file."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploads.operations import Context, operation, option


@dataclass(frozen=True)
class Work:
    seconds: float = option(0.0, "Work this long.", min=0, max=600, unit="seconds")
    burn: bool = option(False, "Keep a core busy meanwhile.")


@operation("kill.work", label="Work", accepts=["text/*"], options=Work, seconds=lambda size: 0.5)
def work(source: Path, step: Context[Work]) -> Iterator[Path]:
    """Work, then copy a text file."""
    until = time.monotonic() + step.options.seconds
    while (left := until - time.monotonic()) > 0:
        if not step.options.burn:
            time.sleep(left)
    target = step.path("source.txt")
    target.write_text(source.read_text())
    yield target
