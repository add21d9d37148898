"""How soon a worker claims a step after the commit of its submit; and what idling costs."""

import os
import statistics
import tempfile
import time
from pathlib import Path
from random import Random

from benchmarks.site import owner, site

JOBS = 60
IDLE_SECONDS = 60
SETTLE_SECONDS = 20  # the sweeps stay awake for a while after the last job
TRACED = Path(__file__).parent / "traced"


def main() -> dict[str, float]:
    """Print p50, p90 and worst of commit → first claim, and what an idle second costs."""
    with tempfile.NamedTemporaryFile(suffix=".sql") as log:
        traced = {"PYTHONPATH": str(TRACED), "TIDEMILL_SQL_LOG": log.name}
        with site(workers=2, web=True, environment=traced) as running:
            waits = measure_claims()
            time.sleep(SETTLE_SECONDS)
            before = _statements(log.name)
            cpu, memory = measure_idle(running["process"].pid)
            queries = (_statements(log.name) - before) / IDLE_SECONDS
    waits.sort()
    p50 = statistics.median(waits)
    p90, p99 = waits[int(0.9 * len(waits))], waits[-1]
    print(
        f"commit → first claim, {len(waits)} jobs: p50 {p50:.1f} ms, p90 {p90:.1f} ms, worst {p99:.1f} ms"
    )
    print(
        f"idle: {100 * cpu:.2f} % of a core, {memory / 2**20:.0f} MB (PSS) in the whole tree, "
        f"{queries:.2f} SQL statements/s, BEGIN and COMMIT included"
    )
    return {
        "claim_p50_ms": p50,
        "claim_p90_ms": p90,
        "idle_cpu_percent": 100 * cpu,
        "idle_queries_per_second": queries,
    }


def _statements(path: str) -> int:
    with Path(path).open() as log:
        return sum(1 for _ in log)


def measure_claims() -> list[float]:
    """Submit small jobs at random gaps; return the milliseconds from commit to claim."""
    from django.db import transaction

    from uploads.models import Step, Upload
    from uploads.storage import store
    from uploads.work.submit import JobRequest, StageRequest, submit

    random = Random(1)
    waits = []
    for number in range(JOBS):
        upload = Upload(owner=owner(), name=f"{number}.jpg", length=10)
        path = store.path(upload.storage_key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not a jpeg")  # before the row: the sweep gives up a row without its file
        upload.save()
        upload.complete(kind="image", media_type="image/jpeg")
        with transaction.atomic():
            job = submit(
                owner(), JobRequest([StageRequest("image.convert")], [upload.key], anew=True)
            )
        committed = time.time()
        step = None
        while step is None:
            step = Step.objects.filter(job=job, kind="plan").exclude(started_at=None).first()
            time.sleep(0.002)
        assert step.started_at is not None
        waits.append(1000 * (step.started_at.timestamp() - committed))
        while not type(job).objects.filter(pk=job.pk).exclude(settled_at=None).exists():
            time.sleep(0.02)
        time.sleep(random.uniform(0.05, 0.4))
    return waits


def tree(root: int) -> list[int]:
    """Return the pids of a process and all below it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def measure_idle(root: int) -> tuple[float, int]:
    """Return the share of a core that the whole tree uses while idle, and its memory (PSS)."""
    before, started = cpu_seconds(root), time.monotonic()
    time.sleep(IDLE_SECONDS)
    share = (cpu_seconds(root) - before) / (time.monotonic() - started)
    memory = 0
    for pid in tree(root):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return share, memory * 1024


def cpu_seconds(root: int) -> float:
    """Return the processor time of a process tree so far."""
    ticks = 0
    for pid in tree(root):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
