"""The ordered list of sweeps: small repairs, each idempotent, run by the `sweep` process."""

from collections.abc import Callable
from dataclasses import dataclass

from uploads.work import plan, recover, retention


@dataclass(frozen=True)
class Sweep:
    """One repair: its function returns how many things it mended; run at most this often."""

    name: str
    function: Callable[[], int]
    every_seconds: float


SWEEPS: tuple[Sweep, ...] = (
    Sweep("dead_workers", recover.recover_dead_workers, 1),
    Sweep("silent_workers", recover.recover_silent_workers, 1),
    Sweep("overdue_workers", recover.stop_overdue_workers, 1),
    Sweep("missing_plans", plan.add_missing_plans, 5),
    Sweep("leftover_joins", recover.ready_leftover_joins, 5),
    Sweep("counters", recover.mend_counters, 5),
    Sweep("unsettled_jobs", recover.settle_ended_jobs, 10),
    Sweep("expired_jobs", retention.prune_jobs, 60),
    Sweep("orphan_files", retention.remove_orphans, 300),
    Sweep("orphan_scratch", retention.remove_orphan_scratch, 10),
)
