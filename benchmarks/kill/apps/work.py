"""The task that every peer runs: note the start, work for a while, have one durable effect."""

import os
import time
from pathlib import Path


def note(name: str, number: int) -> None:
    """Append one line, durably: the number, the time, the process."""
    line = f"{number} {time.time():.4f} {os.getpid()}\n".encode()
    descriptor = os.open(
        Path(os.environ["KILL_FOLDER"]) / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT
    )
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def step(number: int, seconds: float) -> None:
    """Be one task; negative seconds burn the processor, as pictures and films do."""
    note("starts", number)
    if seconds < 0:
        until = time.monotonic() - seconds
        while time.monotonic() < until:
            pass
    else:
        time.sleep(seconds)
    note("effects", number)
