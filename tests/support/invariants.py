"""What holds between the rows at every moment, and between rows and files when nothing runs."""

from collections import Counter
from itertools import pairwise

from uploads.models import Event, Item, Job, Result, Step
from uploads.states import (
    ENDED_JOB_STATES,
    OPEN_STEP_STATES,
    ItemState,
    JobState,
    StepKind,
    StepState,
    UploadState,
)
from uploads.storage import store
from uploads.work.retention import SCRATCH_NAME


def assert_consistent(*, at_rest: bool = False) -> None:
    """Check every job, item, step, event and result; with `at_rest` the files as well.

    Call it between transactions. At rest means that no worker holds a file it has not
    committed yet.
    """
    for job in Job.objects.all():
        wrong = list(_wrong(job))
        assert not wrong, f"job {job.pk} ({job.state}): " + "; ".join(wrong) + _described(job)
    _check_results()
    if at_rest:
        _check_files()


def _wrong(job: Job) -> list[str]:
    return [*_counters(job), *_ending(job), *_owners(job), *_steps(job), *_events(job)]


def _counters(job: Job) -> list[str]:
    states = Counter(job.items.values_list("state", flat=True))
    told = {
        "total": (job.items_total, states.total()),
        "done": (job.items_done, states[ItemState.SUCCEEDED]),
        "failed": (job.items_failed, states[ItemState.FAILED]),
        "cancelled": (job.items_cancelled, states[ItemState.CANCELLED]),
    }
    return [f"{name}: {a} counted, {b} rows" for name, (a, b) in told.items() if a != b]


def _ending(job: Job) -> list[str]:
    """An ended job has its outcome and nothing left but e-mails and what unwinds."""
    ended = job.state in ENDED_JOB_STATES
    waiting = job.steps.filter(state__in=[StepState.READY, StepState.PENDING])
    found = []
    if ended != (job.finished_at is not None) or ended != (job.expires_at is not None):
        found.append("state and times of the end disagree")
    if ended != (job.items_open == 0):
        found.append(f"{job.items_open} open items")
    if ended and job.state != _outcome(job):
        found.append(f"its items make it {_outcome(job)}")
    if ended and waiting.exclude(kind=StepKind.NOTIFY).exists():
        found.append("steps wait although it has ended")
    if ended and job.paused_at:
        found.append("paused although it has ended")
    if not ended and job.settled_at:
        found.append("settled although it has not ended")
    return found


def _outcome(job: Job) -> JobState:
    if job.cancel_requested_at and job.items_cancelled:
        return JobState.CANCELLED
    if job.items_done == job.items_total:
        return JobState.SUCCEEDED
    return JobState.PARTIAL if job.items_done else JobState.FAILED


def _owners(job: Job) -> list[str]:
    """Every open item has a step that will come to it, or a file that is awaited."""
    found = []
    planning = job.steps.filter(kind=StepKind.PLAN, state__in=OPEN_STEP_STATES).exists()
    receiving = job.inputs.filter(upload__state=UploadState.RECEIVING).exists()
    # A job that is being cancelled does not begin anew for what arrives.
    if job.state == JobState.RECEIVING and not receiving and not job.cancel_requested_at:
        found.append("waits for files that are here")
    for item in job.items.filter(state=ItemState.OPEN).select_related("step", "upload"):
        if item.step is None:
            comes = item.upload.state == UploadState.RECEIVING if item.upload else receiving
            if not comes and not planning:
                found.append(f"item {item.position} is in no plan")
        elif job.cancel_requested_at and item.part_steps.filter(state=StepState.RUNNING).exists():
            continue  # ends with the last part that unwinds
        elif item.step.state not in OPEN_STEP_STATES:
            found.append(f"item {item.position} hangs on a step that is {item.step.state}")
        elif item.step.kind == StepKind.JOIN and item.step.state == StepState.PENDING:
            parts = item.part_steps.filter(kind=StepKind.WORK)
            if not parts.filter(state__in=[StepState.READY, StepState.RUNNING]).exists():
                found.append(f"item {item.position} waits for parts that nobody does")
    return found


def _steps(job: Job) -> list[str]:
    found = []
    for step in job.steps.all():
        held = bool(step.lease_until)
        if held != (step.state == StepState.RUNNING):
            found.append(f"{step} is {step.state}, its lease until {step.lease_until}")
        if step.state == StepState.RUNNING and not (step.lease_owner and step.lease_token):
            found.append(f"{step} runs without a worker")
        if step.state == StepState.READY and step.lease_owner:
            found.append(f"{step} is ready and has a worker")
        if (step.finished_at is None) != (step.state in OPEN_STEP_STATES):
            found.append(f"{step} is {step.state}, finished at {step.finished_at}")
    tokens = [token for token in job.steps.values_list("lease_token", flat=True) if token]
    if len(tokens) != len(set(tokens)):
        found.append("two steps have one token")
    return found


def _events(job: Job) -> list[str]:
    """Events grow within the job, which knows the last number; ends and retries alternate."""
    events = list(job.events.order_by("id").values_list("seq", "kind"))
    numbers = [seq for seq, _ in events]
    found = []
    if any(a >= b for a, b in pairwise(numbers)) or (numbers and numbers[-1] > job.seq):
        found.append(f"events {numbers} of a job at {job.seq}")
    turns = [kind for _, kind in events if kind in {"ended", "retried"}]
    ends, retries = turns.count("ended"), turns.count("retried")
    if ends - retries != (job.state in ENDED_JOB_STATES):
        found.append(f"ended {ends} times, retried {retries} times")
    return found


def _check_results() -> None:
    """A result belongs to a step that succeeded, under its own token, or kept it when stopped."""
    kept = set(Event.objects.filter(kind="step_kept").values_list("body__step", flat=True))
    for result in Result.objects.select_related("step"):
        if result.step_id in kept:
            continue
        assert result.step.state == StepState.SUCCEEDED, (result, result.step.state)
        assert result.storage_key.split("/")[-2] == f"{result.step_id}-{result.step.lease_token}"
    whole = Item.objects.filter(state=ItemState.SUCCEEDED, results__role="result")
    counts = Counter(whole.values_list("pk", flat=True))
    assert set(counts.values()) <= {1}, "an item has its result twice"


def _check_files() -> None:
    root = store.path("store")
    there = {str(p.relative_to(store.root)) for p in root.glob("*/*/*/*")}
    assert there == set(Result.objects.values_list("storage_key", flat=True))
    scratch = {match["token"] for p in store.scratch().iterdir() if (match := _own(p.name))}
    assert scratch <= set(Step.objects.running().values_list("lease_token", flat=True))


def _own(name: str):  # type: ignore[no-untyped-def]
    return SCRATCH_NAME.fullmatch(name)


def _described(job: Job) -> str:
    steps = job.steps.values_list("kind", "seq", "state", "attempt", "crashes", "error")
    events = job.events.values_list("seq", "kind")
    return "\n".join(["", *map(str, steps), *map(str, job.items.values()), *map(str, events)])
