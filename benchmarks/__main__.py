"""Run the benchmarks, all or those named: `python -m benchmarks [images] [video] …`.

What follows the first option goes to each of them: `python -m benchmarks eta --record 200`.

Each prints its rounds and medians beside its peer's. Nothing here is a test:
machines differ, so read ratios, and run it on a quiet one.
"""

import os
import subprocess
import sys
from pathlib import Path

ALL = (
    "images",
    "video",
    "data",
    "latency",
    "claim",
    "steps",
    "pages",
    "live",
    "web_memory",
    "eta",
    "poison",
    "cancel",
    "duplicates",
    "many",
)


def main(arguments: list[str]) -> int:
    """Run each benchmark in a process of its own, on a data folder of its own."""
    first = next((at for at, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    chosen, options = arguments[:first], arguments[first:]
    unknown = set(chosen) - set(ALL)
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; known: {', '.join(ALL)}.")
        return 2
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    failed = 0
    for name in chosen or ALL:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        failed += (
            subprocess.run(command, cwd=Path(__file__).parent.parent, check=False).returncode != 0
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
