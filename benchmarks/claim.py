"""How long a claim takes with 10,000 ready steps of 100 jobs beside 100,000 finished jobs.

On SQLite, and on a PostgreSQL of its own when its programs are here.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

JOBS, STEPS_EACH, OWNERS, FINISHED = 100, 100, 10, 100_000
CLAIMS, RUNNING = 1000, 4
LARGE_PIECE = 5000


def main() -> dict[str, float]:
    """Print p50, p90 and p99 of a whole claim, its commit included, and the disk's sync."""
    folder = Path(tempfile.mkdtemp(prefix="tidemill-claim-"))
    os.environ["TIDEMILL_DATA"] = str(folder / "data")
    os.environ["TIDEMILL_RUN_DIR"] = str(folder / "run")
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    (folder / "data").mkdir()
    import django

    django.setup()
    print(f"a sync of this disk: {sync_ms(folder):.2f} ms (p50)")
    figures = {"sqlite_p50_ms": on_sqlite()}
    figures["postgresql_p50_ms"] = on_postgresql()
    return figures


def sync_ms(folder: Path) -> float:
    """Return the median time to append and sync a page."""
    took = []
    with (folder / "page").open("ab") as file:
        for _ in range(50):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append(1000 * (time.perf_counter() - started))
    return statistics.median(took)


def on_sqlite() -> float:
    return measure("SQLite, synchronous=FULL")


def on_postgresql() -> float:
    from tests.support.databases import described, using
    from tests.support.postgresql import PostgreSQL, find_programs

    programs = find_programs()
    if programs is None:
        print("PostgreSQL is not installed here.")
        return float("nan")
    server = PostgreSQL(programs, fsync="on")
    server.start()
    try:
        with using(described(server.create("claim"))):
            return measure("PostgreSQL, fsync=on")
    finally:
        server.stop()


def measure(where: str) -> float:
    """Fill a database, claim and finish steps; return the median claim in milliseconds."""
    from django.core.management import call_command
    from django.db import connection

    from uploads.models import Step
    from uploads.models.claiming import Budget
    from uploads.states import Lane, StepState

    call_command("migrate", verbosity=0)
    fill()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    took, busy, running = [], [], []
    for _ in range(CLAIMS):
        started, worked = time.perf_counter(), time.thread_time()
        step = Step.objects.claim(Lane.CPU, "host:boot:1:2", Budget("host:boot:", 2**34, 2**40))
        took.append(1000 * (time.perf_counter() - started))
        busy.append(1000 * (time.thread_time() - worked))
        assert step is not None
        running.append(step.pk)
        if len(running) > RUNNING:
            Step.objects.filter(pk=running.pop(0)).update(state=StepState.SUCCEEDED)
    took.sort()
    p50, p90, p99 = took[CLAIMS // 2], took[9 * CLAIMS // 10], took[99 * CLAIMS // 100]
    own = statistics.median(busy)
    print(f"{where}: claim p50 {p50:.2f} ms, p90 {p90:.2f} ms, p99 {p99:.2f} ms")
    print(f"  of it {own:.2f} ms (p50) are this process's own processor time")
    sys.stdout.flush()
    return p50


def fill() -> None:
    """Insert the finished jobs and the ready steps; rows only, no files."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from uploads.models import Job, Stage, Step
    from uploads.states import JobState, Lane, StepKind, StepState

    people = [User.objects.create_user(f"person{number}") for number in range(OWNERS)]
    now = timezone.now()
    ended = {"state": JobState.SUCCEEDED, "finished_at": now, "settled_at": now}
    for start in range(0, FINISHED, LARGE_PIECE):
        Job.objects.bulk_create(
            Job(owner=people[number % OWNERS], name=f"done {number}", **ended)
            for number in range(start, start + LARGE_PIECE)
        )
    for number in range(JOBS):
        owner = people[number % OWNERS]
        job = Job.objects.create(owner=owner, name=f"job {number}", state=JobState.QUEUED)
        stage = Stage.objects.create(job=job, operation="image.convert", version=1)
        Step.objects.bulk_create(
            Step(
                job=job,
                stage=stage,
                kind=StepKind.WORK,
                seq=seq,
                lane=Lane.CPU,
                owner=owner,
                state=StepState.READY,
                needs_memory_bytes=2**28,
                needs_disk_bytes=2**20,
            )
            for seq in range(STEPS_EACH)
        )


if __name__ == "__main__":
    main()
