"""The sweeps in their order: small repairs, each idempotent, run by the `sweep` process."""

from uploads.work import full_disk, plan, presence, quota, recover, retention
from uploads.work.sweeper import Sweep

SWEEPS: tuple[Sweep, ...] = (
    Sweep("dead_workers", recover.recover_dead_workers),
    Sweep("silent_workers", recover.recover_silent_workers, patient=True),
    Sweep("overdue_workers", recover.stop_overdue_workers, patient=True),
    Sweep("workers", presence.Register().renew, quiet_seconds=10),
    Sweep("waits", recover.Waits().shorten, every_seconds=2, quiet_seconds=2),
    Sweep("room", full_disk.RoomSweep(), quiet_seconds=1),
    Sweep("missing_plans", plan.add_missing_plans, every_seconds=5),
    Sweep("leftover_joins", recover.ready_leftover_joins, every_seconds=5),
    Sweep("counters", recover.mend_counters, every_seconds=5),
    Sweep("over_quota", quota.hold_over_quota, every_seconds=5),
    Sweep("unsettled_jobs", recover.settle_ended_jobs, every_seconds=10),
    Sweep("orphan_scratch", retention.remove_orphan_scratch, every_seconds=10),
    Sweep("forgotten_scratch", retention.remove_forgotten, every_seconds=300, by_age=True),
    Sweep("expired_jobs", retention.prune_jobs, every_seconds=60, by_age=True),
    Sweep("orphan_files", retention.remove_orphans, every_seconds=300, by_age=True),
)
