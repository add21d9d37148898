"""The claim: which ready step a worker takes next, and that no other takes it.

The order is priority, the owner with the fewest running steps, the job served longest ago,
the step's own place. Nothing cancelled, paused, held or at its limit is taken, and nothing
that its host has no room for. See docs/decisions/0012-admission.md.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from uploads.conf import conf
from uploads.models import rows
from uploads.models.hold import lane_place
from uploads.models.keys import lease_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uploads.models.step import Step, StepQuerySet

BOUNDLESS: Final = 2**62
LIMIT_FACTOR: Final = 20

# What this host's running steps need of its memory; what all running steps write.
USED: Final = """
SELECT coalesce(sum(busy.needs_memory_bytes), 0) FROM uploads_step busy
WHERE busy.state = 'running' AND substr(busy.lease_owner, 1, %(host_length)s) = %(host)s
"""
WRITTEN: Final = """
SELECT coalesce(sum(busy.needs_disk_bytes), 0) FROM uploads_step busy WHERE busy.state = 'running'
"""
DUE: Final = f"""
SELECT due.id FROM uploads_step due
WHERE due.state = 'ready' AND due.lane = %(lane)s AND due.job_id = line.id
  AND due.not_before <= %(now)s AND due.needs_memory_bytes <= %(memory)s
  AND (due.needs_disk_bytes = 0 OR due.needs_disk_bytes <= %(disk)s - ({WRITTEN}))
ORDER BY due.seq, due.id LIMIT 1
"""
# The jobs that may be served, in their order; of these the first that has a step that fits.
# The limit keeps both databases from dropping the order, and a value instead of EXISTS from
# making it a join, so that they look no further.
CHOOSE: Final = f"""
SELECT step.id, step.job_id, step.weight, step.needs_memory_bytes AS need, ({USED}) AS used
FROM uploads_step step
WHERE step.state = 'ready' AND NOT EXISTS (
  SELECT 1 FROM uploads_lanelimit bound
  WHERE bound.lane = %(lane)s AND bound.max_inflight <= (
    SELECT count(*) FROM uploads_step busy WHERE busy.state = 'running' AND busy.lane = %(lane)s)
) AND step.id = (
  SELECT ({DUE}) FROM (
    SELECT job.id FROM uploads_job job
    LEFT JOIN (
      SELECT busy.owner_id, count(*) AS steps FROM uploads_step busy
      WHERE busy.state = 'running' GROUP BY busy.owner_id
    ) owners ON owners.owner_id = job.owner_id
    WHERE job.settled_at IS NULL AND job.paused_at IS NULL
      AND (job.cancel_requested_at IS NULL OR job.finished_at IS NOT NULL)
      AND NOT EXISTS (
        SELECT 1 FROM uploads_hold hold
        WHERE hold.place IN ('all', %(lane_place)s) OR (hold.owner_id = job.owner_id
          AND (NOT hold.spares_begun OR job.started_at IS NULL)))
      AND (%(job_limit)s + job.max_inflight = 0 OR (
        SELECT count(*) FROM uploads_step busy
        WHERE busy.state = 'running' AND busy.job_id = job.id
      ) < CASE WHEN job.max_inflight > 0 THEN job.max_inflight ELSE %(job_limit)s END)
      AND (%(owner_limit)s = 0 OR coalesce(owners.steps, 0) < %(owner_limit)s)
    ORDER BY job.priority DESC, coalesce(owners.steps, 0), job.last_claimed_at, job.id
    LIMIT 1000000
  ) line
  WHERE ({DUE}) IS NOT NULL
  LIMIT 1)
"""
LEASED: Final = """
UPDATE uploads_step
SET state = 'running', attempt = attempt + 1, progress = 0, started_at = %(now)s,
    lease_token = %(token)s, lease_owner = %(owner)s, lease_until = %(until)s,
    waiting_code = '', deadline_at =
"""
LEASE: Final = f"""
{LEASED} %(deadline)s WHERE id = %(step)s AND state = 'ready'
"""
# PostgreSQL does both at once, where there is memory for the first in line.
LOCKING: Final = "FOR UPDATE OF step SKIP LOCKED"
LEASE_FIRST: Final = f"""
WITH chosen AS ({CHOOSE} {LOCKING}), leased AS (
  {LEASED} %(now)s + interval '1 second'
    * least(%(longest)s::float8, greatest(%(shortest)s::float8, {LIMIT_FACTOR} * chosen.weight))
  FROM chosen WHERE uploads_step.id = chosen.id
    AND (chosen.need = 0 OR chosen.used + chosen.need <= %(memory)s)
  RETURNING uploads_step.id)
SELECT chosen.id, chosen.job_id, leased.id IS NOT NULL
FROM chosen LEFT JOIN leased ON leased.id = chosen.id
"""
USED_BY_SMALLER: Final = USED + " AND busy.needs_memory_bytes < %(need)s"
# One at a time: two workers must not both take the last of their host's memory. A worker that
# is stopped in the middle gives way after 5 s.
ONE_AT_A_TIME: Final = """
SELECT pg_advisory_xact_lock(8406), set_config('synchronous_commit', 'off', true),
    set_config('idle_in_transaction_session_timeout', '5s', true)
"""
SERVED: Final = """
UPDATE uploads_job
SET last_claimed_at = %(now)s, started_at = coalesce(started_at, %(now)s),
    state = CASE WHEN state = 'queued' THEN 'running' ELSE state END
WHERE id = %(job)s
"""
MINE: Final = """
SELECT {step}, {job}, {stage} FROM uploads_step step
JOIN uploads_job job ON job.id = step.job_id JOIN uploads_stage stage ON stage.id = step.stage_id
WHERE step.id = %(step)s AND step.lease_token = %(token)s
"""
# The same on PostgreSQL after it noted the claim on the job; neither waits for the disk.
SERVED_MINE: Final = f"""
WITH served AS ({SERVED.strip()} RETURNING *, set_config('synchronous_commit', 'off', true))
{MINE.replace("uploads_job job", "served job").strip()}
"""


@dataclass(frozen=True)
class Budget:
    """What a host gives to steps: memory for all that run on it, and disk.

    `host` starts the names of its workers; `disk_bytes` are free now above the reserve.
    """

    host: str
    memory_bytes: int = BOUNDLESS
    disk_bytes: int = BOUNDLESS


@dataclass(frozen=True)
class Claim:
    """A step that was taken; `load` reads it once the transaction has let go of its locks."""

    step_id: int
    token: str
    job_id: int
    at: datetime

    def load(self) -> "Step | None":
        """Return the step with its job and stage; None when it was deleted or taken meanwhile."""
        # On PostgreSQL the job's row is locked now that the step's is free again: every other
        # transaction locks the job first.
        sql = SERVED_MINE if connection.vendor == "postgresql" else MINE
        kinds = {name: apps.get_model("uploads", name) for name in ("step", "job", "stage")}
        values = {"step": self.step_id, "token": self.token, "job": self.job_id, "now": self.at}
        found = rows.joined(kinds, sql, values)
        if not found:
            return None
        step: Step
        step, step.job, step.stage = found[0]
        return step


def claim(steps: "StepQuerySet", lane: str, worker: str, budget: Budget) -> "Step | None":
    """Take the best step that fits, with a fresh lease; None when there is none.

    On PostgreSQL SKIP LOCKED may hide the only ready step: an empty answer is asked
    again while something is claimable.
    """
    for _ in range(2 if connection.vendor == "postgresql" else 1):
        taken = take(lane, worker, budget)
        step = taken.load() if taken else None
        if step is not None or not steps.claimable(lane).exists():
            return step
    return None


def take(lane: str, worker: str, budget: Budget) -> Claim | None:
    """Write a fresh lease into the best step that fits: a small transaction, or a part of one."""
    now = timezone.now()
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        waits, taken = _take_first(lane, worker, budget, now)
        if taken or not waits:
            return taken
    with _light_transaction():
        chosen = _choose(lane, budget, now)
        taken = _lease(chosen, worker, now) if chosen else None
        if taken is not None and connection.vendor != "postgresql":
            rows.change(SERVED, {"now": now, "job": taken.job_id})
    return taken


def _take_first(lane: str, worker: str, budget: Budget, now: datetime) -> tuple[bool, Claim | None]:
    """Take the first in line in one transaction with one wait, on PostgreSQL.

    Returns whether there is one, and the claim if there is memory for it.
    """
    token = lease_token()
    lease = _lease_values(worker, token, now)
    bounds = {"longest": conf.STEP_MAX_SECONDS, "shortest": conf.STEP_MIN_LIMIT_SECONDS}
    values = {**_values(lane, budget, now), **lease, **bounds}
    row = rows.alone(ONE_AT_A_TIME, LEASE_FIRST, values)
    if row is None:
        return False, None
    step, job, leased = row
    return True, Claim(step, token, job, now) if leased else None


@contextmanager
def _light_transaction() -> "Iterator[None]":
    """Begin a transaction whose commit does not wait for the disk; inside another it is that one's.

    A power cut may undo a claim, which makes the step ready again; whatever is
    synced later carries the claim along.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        rows.first("PRAGMA synchronous=NORMAL", {})
        try:
            with transaction.atomic():
                yield
        finally:
            rows.first("PRAGMA synchronous=FULL", {})
    else:
        with transaction.atomic(), rows.together():
            rows.change(ONE_AT_A_TIME, {})
            yield


@dataclass(frozen=True)
class _Chosen:
    """The step to take: its estimate and need, and what memory this host's others use."""

    step_id: int
    job_id: int
    weight: float
    need: int
    used: int


def _choose(lane: str, budget: Budget, now: datetime) -> _Chosen | None:
    """Return the step to take, its row locked on PostgreSQL.

    The first in line is taken when there is memory for it. While there is not, a smaller
    one may pass if all that are smaller leave room for it: then it starts at the latest when
    the others that run have ended.
    """
    values = _values(lane, budget, now)
    first = _first(values)
    if first is None or not first.need or first.used + first.need <= budget.memory_bytes:
        return first
    smaller = rows.first(USED_BY_SMALLER, {**values, "need": first.need}) or (0,)
    left = budget.memory_bytes - max(first.used, int(smaller[0]) + first.need)
    return _first({**values, "memory": max(0, min(left, first.need - 1))})


def _values(lane: str, budget: Budget, now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "lane": lane,
        "lane_place": lane_place(lane),
        "host": budget.host,
        "host_length": len(budget.host),
        "memory": budget.memory_bytes,
        "disk": budget.disk_bytes,
        "job_limit": conf.JOB_MAX_INFLIGHT,
        "owner_limit": conf.OWNER_MAX_INFLIGHT,
    }


def _first(values: dict[str, Any]) -> _Chosen | None:
    """Return the first step in line that fits these bounds."""
    row = rows.first(CHOOSE + _locking(), values)
    if row is None:
        return None
    step, job, weight, need, used = row
    return _Chosen(step, job, weight, need, int(used))


def _locking() -> str:
    return LOCKING if connection.vendor == "postgresql" else ""


def _lease(chosen: _Chosen, worker: str, now: datetime) -> Claim:
    """Write a fresh lease into a row that was chosen, and locked, in this transaction."""
    token = lease_token()
    values = {"step": chosen.step_id, "deadline": now + time_limit(chosen.weight)}
    rows.change(LEASE, {**values, **_lease_values(worker, token, now)})
    return Claim(chosen.step_id, token, chosen.job_id, now)


def _lease_values(worker: str, token: str, now: datetime) -> dict[str, Any]:
    until = now + timedelta(seconds=conf.LEASE_SECONDS)
    return {"now": now, "token": token, "owner": worker, "until": until}


def time_limit(weight: float) -> timedelta:
    """Return how long one run may take: 20 times its estimate within documented bounds."""
    seconds = max(conf.STEP_MIN_LIMIT_SECONDS, LIMIT_FACTOR * weight)
    return timedelta(seconds=min(seconds, conf.STEP_MAX_SECONDS))
