"""The claim: which ready step a worker takes next, and that no other takes it.

The order is priority, the owner with the fewest running steps, the job served longest ago,
the step's own place. Nothing cancelled, paused, held or at its limit is taken, and nothing
that its host has no room for. See docs/decisions/0010-admission.md.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.utils import timezone

from uploads.conf import conf
from uploads.models.hold import lane_place
from uploads.models.keys import lease_token
from uploads.states import StepState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uploads.models.step import Step, StepQuerySet

BOUNDLESS: Final = 2**62

# For every job that may be served its first due step that fits; of these the best job's.
CHOOSE: Final = """
WITH line AS MATERIALIZED (
  SELECT job.id, job.priority, job.last_claimed_at, (
      SELECT count(*) FROM uploads_step busy
      WHERE busy.state = 'running' AND busy.owner_id = job.owner_id) AS owner_busy, (
      SELECT due.id FROM uploads_step due
      WHERE due.state = 'ready' AND due.lane = %(lane)s AND due.job_id = job.id
        AND due.not_before <= %(now)s AND due.needs_memory_bytes <= %(memory)s
        AND (due.needs_disk_bytes = 0 OR due.needs_disk_bytes <= %(disk)s)
      ORDER BY due.seq, due.id LIMIT 1) AS step_id
  FROM uploads_job job
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
    AND (%(owner_limit)s = 0 OR (
      SELECT count(*) FROM uploads_step busy
      WHERE busy.state = 'running' AND busy.owner_id = job.owner_id) < %(owner_limit)s))
SELECT step.id, step.needs_memory_bytes FROM uploads_step step
WHERE step.state = 'ready' AND step.id = (
  SELECT line.step_id FROM line WHERE line.step_id IS NOT NULL
  ORDER BY line.priority DESC, line.owner_busy, line.last_claimed_at, line.id LIMIT 1)
"""
# What runs: the memory of this host's steps, that of the smaller ones, everybody's disk.
BUSY: Final = """
SELECT coalesce(sum(CASE WHEN near.here THEN near.memory ELSE 0 END), 0),
  coalesce(sum(CASE WHEN near.here AND near.memory < %(need)s THEN near.memory ELSE 0 END), 0),
  coalesce(sum(near.disk), 0)
FROM (
  SELECT substr(busy.lease_owner, 1, %(host_length)s) = %(host)s AS here,
    busy.needs_memory_bytes AS memory, busy.needs_disk_bytes AS disk
  FROM uploads_step busy WHERE busy.state = 'running') near
"""
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


@dataclass(frozen=True)
class Room:
    """What a host gives to steps: memory for all that run on it, and disk.

    `host` starts the names of its workers; `disk_bytes` are free now above the reserve.
    """

    host: str
    memory_bytes: int = BOUNDLESS
    disk_bytes: int = BOUNDLESS


def claim(steps: "StepQuerySet", lane: str, worker: str, room: Room) -> "Step | None":
    """Take the best step that fits, with a fresh lease; None when there is none.

    On PostgreSQL SKIP LOCKED may hide the only ready step: an empty answer is asked
    again while something is claimable.
    """
    for _ in range(4 if connection.vendor == "postgresql" else 1):
        step = _claim_once(steps, lane, worker, room)
        if step is not None or not steps.claimable(lane).exists():
            return step
    return None


def _claim_once(steps: "StepQuerySet", lane: str, worker: str, room: Room) -> "Step | None":
    now = timezone.now()
    postgresql = connection.vendor == "postgresql"
    with _light_transaction():
        pk = _choose(lane, room, now)
        step = None if pk is None else _lease(steps, pk, worker, now)
        if step is not None and not postgresql:
            _serve(step, now)
    # Not before the step's row is free again: every other transaction locks the job first.
    if step is not None and postgresql:
        _serve(step, now)
    return step


@contextmanager
def _light_transaction() -> "Iterator[None]":
    """Begin a transaction whose commit does not wait for the disk.

    A power cut may undo a claim, which makes the step ready again; whatever is
    synced later carries the claim along.
    """
    alone = not connection.in_atomic_block
    sqlite = connection.vendor == "sqlite"
    if alone and sqlite:
        _row("PRAGMA synchronous=NORMAL", {})
    try:
        with transaction.atomic():
            if alone and not sqlite:
                _row(ONE_AT_A_TIME, {})
            yield
    finally:
        if alone and sqlite:
            _row("PRAGMA synchronous=FULL", {})


def _choose(lane: str, room: Room, now: datetime) -> int | None:
    """Return the number of the step to take, locked on PostgreSQL.

    The first in line is taken when there is memory for it. While there is not, a smaller
    one may pass if all that are smaller leave room for it: then it starts at the latest when
    the others that run have ended.
    """
    values: dict[str, Any] = {
        "now": now,
        "lane": lane,
        "lane_place": lane_place(lane),
        "host": room.host,
        "host_length": len(room.host),
        "memory": room.memory_bytes,
        "disk": room.disk_bytes,
        "job_limit": conf.JOB_MAX_INFLIGHT,
        "owner_limit": conf.OWNER_MAX_INFLIGHT,
    }
    if room.memory_bytes == room.disk_bytes == BOUNDLESS:
        found = _row(CHOOSE + _locking(), values)
        return int(found[0]) if found else None
    used, _smaller, written = _row(BUSY, {**values, "need": 0}) or (0, 0, 0)
    values["disk"] = room.disk_bytes - int(written)
    first = _row(CHOOSE + _locking(), values)
    if first is None:
        return None
    pk, need = first
    if not need or used + need <= room.memory_bytes:
        return int(pk)
    _used, smaller, _written = _row(BUSY, {**values, "need": need}) or (0, 0, 0)
    left = room.memory_bytes - max(int(used), int(smaller) + need)
    passing = _row(CHOOSE + _locking(), {**values, "memory": max(0, min(left, need - 1))})
    return int(passing[0]) if passing else None


def _locking() -> str:
    return "FOR UPDATE OF step SKIP LOCKED" if connection.vendor == "postgresql" else ""


def _row(sql: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    # Until its first row is fetched a statement keeps SQLite's lock.
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _lease(steps: "StepQuerySet", pk: int, worker: str, now: datetime) -> "Step | None":
    """Write a fresh lease into a row that is still ready, and return the step."""
    step = steps.select_related("job", "stage", "item").get(pk=pk)
    leased: dict[str, Any] = {
        "state": StepState.RUNNING,
        "attempt": step.attempt + 1,
        "progress": 0,
        "started_at": now,
        "lease_token": lease_token(),
        "lease_owner": worker,
        "lease_until": now + timedelta(seconds=conf.LEASE_SECONDS),
        "deadline_at": now + step.time_limit,
    }
    if not steps.filter(pk=pk, state=StepState.READY).update(**leased):
        return None
    for name, value in leased.items():
        setattr(step, name, value)
    return step


def _serve(step: "Step", now: datetime) -> None:
    """Note the claim on the job: the time for fairness, and queued → running at the first one."""
    unsynced = "RETURNING set_config('synchronous_commit', 'off', true)"
    with connection.cursor() as cursor:
        cursor.execute(
            SERVED + (unsynced if connection.vendor == "postgresql" else ""),
            {"now": now, "job": step.job_id},
        )
