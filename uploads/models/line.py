"""The line before the workers as the claim would serve it: what runs, who waits, who lives.

Read once for many jobs; nothing is changed. Words are made in `waiting`.
"""

import heapq
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone

from uploads.conf import conf
from uploads.models.hold import ALL, Hold, lane_places
from uploads.models.job import Job
from uploads.models.lane_limit import LaneLimit
from uploads.models.step import Step
from uploads.models.worker import Worker
from uploads.states import StepState
from uploads.storage import store

LINE_SHOWN = 1000


@dataclass(frozen=True)
class Place:
    """Where a job stands in a lane's line: how many are ahead, seconds until its first step."""

    ahead: int
    seconds: float


class Line:
    """One look at everything that decides who is served next; each fact is read at most once."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self._places: dict[str, dict[int, Place]] = {}

    @cached_property
    def holds(self) -> list[Hold]:
        return list(Hold.objects.select_related("owner"))

    def hold_on(self, job: Job, lane: str = "") -> Hold | None:
        """Return what holds this job on a lane; without a lane, on every lane."""
        places = lane_places(lane) if lane else (ALL,)
        for hold in self.holds:
            mine = hold.owner_id == job.owner_id and not (hold.spares_begun and job.started_at)
            if hold.place in places or mine:
                return hold
        return None

    @cached_property
    def running(self) -> list[Step]:
        return list(Step.objects.filter(state=StepState.RUNNING).order_by())

    @cached_property
    def of_owner(self) -> Counter[int]:
        return Counter(step.owner_id for step in self.running)

    @cached_property
    def of_job(self) -> Counter[int]:
        return Counter(step.job_id for step in self.running)

    @cached_property
    def workers(self) -> list[Worker]:
        most = LaneLimit.objects.filter(lane=OuterRef("lane")).values("max_inflight")
        return list(Worker.objects.live().annotate(lane_limit=Subquery(most)))

    def lives(self, lane: str) -> bool:
        return any(worker.lane == lane for worker in self.workers)

    # --- room -----------------------------------------------------------------

    def budgets(self, lane: str) -> dict[str, int]:
        """Return what each host with a live worker of the lane gives to steps; bytes."""
        return {w.host: w.budget_bytes for w in self.workers if w.lane == lane and w.budget_bytes}

    def free_memory(self, lane: str, need: int) -> int:
        """Return the most free memory among the hosts that could ever run such a step."""
        used: Counter[str] = Counter()
        for step in self.running:
            used[step.lease_owner.partition(":")[0]] += step.needs_memory_bytes
        budgets = self.budgets(lane)
        return max((b - used[host] for host, b in budgets.items() if b >= need), default=0)

    @cached_property
    def free_disk(self) -> int:
        """Return the free disk above the reserve that running steps will not need."""
        written = sum(step.needs_disk_bytes for step in self.running)
        return max(0, store.free_bytes() - conf.DISK_RESERVE_BYTES - written)

    # --- limits and order --------------------------------------------------------

    @cached_property
    def limits(self) -> dict[str, int]:
        """Return how many steps of a lane with workers may run at once, where somebody has set it."""
        found = {worker.lane: getattr(worker, "lane_limit", None) for worker in self.workers}
        return {lane: most for lane, most in found.items() if most}

    @cached_property
    def of_lane(self) -> Counter[str]:
        return Counter(step.lane for step in self.running)

    def lane_full(self, lane: str) -> bool:
        return lane in self.limits and self.of_lane[lane] >= self.limits[lane]

    def job_full(self, job_id: int, max_inflight: int) -> bool:
        limit = max_inflight or conf.JOB_MAX_INFLIGHT
        return 0 < limit <= self.of_job[job_id]

    def owner_full(self, owner_id: int) -> bool:
        return 0 < conf.OWNER_MAX_INFLIGHT <= self.of_owner[owner_id]

    def place(self, lane: str, job_id: int) -> Place | None:
        """Return a job's place among the first 1000 of a lane, or None behind them."""
        if lane not in self._places:
            self._places[lane] = self._read(lane)
        return self._places[lane].get(job_id)

    def _read(self, lane: str) -> dict[int, Place]:
        due = Step.objects.filter(
            job=OuterRef("pk"), state=StepState.READY, lane=lane, not_before__lte=self.now
        ).order_by("seq", "id")
        wanted = Q(cancel_requested_at=None) | ~Q(finished_at=None)
        jobs = (
            Job.objects.filter(wanted, Exists(due), settled_at=None, paused_at=None)
            .annotate(first_weight=Subquery(due.values("weight")[:1]))
            .order_by("-priority", "last_claimed_at", "id")[:LINE_SHOWN]
        )
        served = [
            job
            for job in jobs
            if not self.hold_on(job, lane)
            and not self.job_full(job.pk, job.max_inflight)
            and not self.owner_full(job.owner_id)
        ]
        served.sort(key=lambda job: (-job.priority, self.of_owner[job.owner_id]))
        return self._seated(lane, served)

    def _seated(self, lane: str, served: list[Job]) -> dict[int, Place]:
        """Give each job the worker that is free first; a more urgent one keeps it to its end."""
        busy = sorted(
            max(0.5, step.weight * (1 - step.progress))
            for step in self.running
            if step.lane == lane
        )
        workers = sum(worker.lane == lane for worker in self.workers)
        count = max(1, min(workers, self.limits.get(lane, workers)))
        # Of more than may run at once, the first ones to end make no room.
        free_at = ([0.0] * (count - len(busy)) + busy)[-count:]
        heapq.heapify(free_at)
        lowest = served[-1].priority if served else 0
        places = {}
        for ahead, job in enumerate(served):
            places[job.pk] = Place(ahead, free_at[0])
            step = float(getattr(job, "first_weight", None) or 0.5)
            rest = max(0.0, job.weight_total - job.weight_done)
            # All steps of a job of higher priority go before the others' first ones.
            taken = max(step, rest / len(free_at)) if job.priority > lowest else step
            heapq.heapreplace(free_at, free_at[0] + taken)
        return places
