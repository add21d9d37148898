"""Run the tests folder by folder; print the minutes of each and fail above the budget."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUDGET_MINUTES = 25
# Quick ones first, so that a plain fault shows within a minute.
ORDER = (
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
    "crash",
    "soak",
    "browser",
)


def main(arguments: list[str]) -> int:
    """Run the folders (all, or those named) one after the other."""
    soak = "--soak" in arguments
    chosen = [name for name in arguments if not name.startswith("-")]
    folders = [f"tests/{name}" for name in ORDER if (ROOT / "tests" / name).is_dir()]
    minutes: dict[str, float] = {}
    failed = []
    for folder in chosen or folders:
        started = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", folder]
        command += ["-m", "soak"] if soak else []
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        minutes[folder] = (time.monotonic() - started) / 60
        if status not in ({0, 5} if soak else {0}):
            failed.append(folder)
    for folder, spent in minutes.items():
        print(f"{folder:<24} {spent:5.1f} min{'   FAILED' if folder in failed else ''}")
    total = sum(minutes.values())
    print(f"{'all':<24} {total:5.1f} min")
    if not soak and total > BUDGET_MINUTES:
        print(f"The tests took longer than their budget of {BUDGET_MINUTES} minutes.")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
