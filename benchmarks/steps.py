"""How many durable, fenced steps without work the workers claim, run and commit in a second.

On SQLite, and on a PostgreSQL of its own when its programs are here.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.site import owner, site

STEPS = 3000
ROUNDS = 3
SYNCS = 200


def main() -> None:
    """Print steps per second with two workers, beside what one sync of this disk takes."""
    if os.environ.get("DATABASE_URL"):
        rate("PostgreSQL, fsync=on")
        return
    rate("SQLite, synchronous=FULL")
    sys.stdout.flush()
    on_postgresql()


def on_postgresql() -> None:
    """Start a PostgreSQL and measure on it in a process of its own; settings are read once."""
    from tests.support.postgresql import PostgreSQL, find_programs

    programs = find_programs()
    if programs is None:
        print("PostgreSQL is not installed here.")
        return
    server = PostgreSQL(programs, fsync="on")
    server.start()
    try:
        server.create("steps")
        environment = {**os.environ, "DATABASE_URL": server.url("steps")}
        subprocess.run([sys.executable, "-m", "benchmarks.steps"], env=environment, check=True)
    finally:
        server.stop()


def rate(where: str) -> None:
    """Print the median of some rounds on the database of the settings."""
    with site(workers=2) as running:
        sync = measure_sync(running["folder"])
        rates = [measure() for _ in range(ROUNDS)]
    print(
        f"{where}: {STEPS} steps without work, 2 workers: {statistics.median(rates):.0f}/s "
        f"(rounds: {', '.join(f'{one:.0f}' for one in rates)}); "
        f"one fdatasync of 4 KiB takes {1000 * sync:.2f} ms"
    )


def measure() -> float:
    """Let the workers run one job's steps, each with a claim and a commit of its own."""
    job = _job()
    job.resume("bench")
    while job.steps.filter(state__in=["ready", "running"]).exists():
        time.sleep(0.05)
    ended = job.steps.order_by("finished_at")
    assert not ended.exclude(state="succeeded").exists()
    first, last = job.steps.order_by("started_at").first(), ended.last()
    seconds: float = (last.finished_at - first.started_at).total_seconds()
    job.cancel("bench")
    return STEPS / seconds


def _job() -> Any:
    """Make a paused job of steps that carry no items, and one item that keeps it open."""
    from django.utils import timezone

    from uploads.models import Item, Job, Stage, Step

    job = Job.objects.create(
        owner=owner(), name="steps", state="running", items_total=1, paused_at=timezone.now()
    )
    stage = Stage.objects.create(job=job, operation="file.inspect")
    Item.objects.create(job=job, stage=stage, position=0, name="never done")
    Step.objects.bulk_create(
        [
            Step(
                job=job,
                stage=stage,
                kind="work",
                seq=number,
                lane="cpu",
                owner=owner(),
                weight=0.001,
            )
            for number in range(STEPS)
        ],
        batch_size=500,
    )
    return job


def measure_sync(folder: Path) -> float:
    """Return the median seconds of one small durable write on this disk."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            started = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
