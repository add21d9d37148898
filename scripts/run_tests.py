"""Run the tests folder by folder in two lines; print the minutes of each, fail above the budget."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUDGET_MINUTES = 25
# Quick ones first, so that a plain fault shows within a minute.
BUSY = (
    "unit",
    "architecture",
    "docs",
    "models",
    "operations",
    "work",
    "intake",
    "pages",
    "admin",
    "live",
)
# These mostly wait: for leases, outages, processes, pages. They run beside the others.
WAITING = ("crash", "soak", "browser")


@dataclass(frozen=True)
class Run:
    """One folder's run: whether it was right, and how long it took."""

    folder: str
    right: bool
    minutes: float


def main(arguments: list[str]) -> int:
    """Run the folders (all in two lines, or those named one after the other)."""
    soak = "--soak" in arguments
    chosen = tuple(name for name in arguments if not name.startswith("-"))
    started = time.monotonic()
    if chosen or soak:  # the long runs measure seconds: nothing beside them
        lines = [chosen or _folders(BUSY + WAITING)]
    else:
        lines = [_folders(BUSY), _folders(WAITING)]
    aside = len(lines) > 1
    with ThreadPoolExecutor(len(lines)) as pool:
        done = pool.map(lambda line: [_run(folder, soak, aside) for folder in line], lines)
        runs = [run for line in done for run in line]
    total = (time.monotonic() - started) / 60
    for run in runs:
        print(f"{run.folder:<24} {run.minutes:5.1f} min{'' if run.right else '   FAILED'}")
    print(f"{'all':<24} {total:5.1f} min")
    if not soak and total > BUDGET_MINUTES:
        print(f"The tests took longer than their budget of {BUDGET_MINUTES} minutes.")
        return 1
    return 0 if all(run.right for run in runs) else 1


def _folders(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"tests/{name}" for name in names if (ROOT / "tests" / name).is_dir())


_printing = threading.Lock()


def _run(folder: str, soak: bool, aside: bool) -> Run:
    """Run one folder; beside another its output is shown whole, when it has ended."""
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", folder, *(["-m", "soak"] if soak else [])]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE if aside else None,
        stderr=subprocess.STDOUT if aside else None,
    )
    if aside:
        with _printing:
            sys.stdout.buffer.write(b"--- %b\n" % folder.encode() + ended.stdout)
            sys.stdout.flush()
    # 5: no test of the folder was chosen
    right = ended.returncode in ({0, 5} if soak else {0})
    return Run(folder, right, (time.monotonic() - started) / 60)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
