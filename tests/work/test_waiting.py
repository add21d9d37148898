"""Why is it not running? Every waiting job and step says so, and rightly, in every state."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from tests.factories import make_user
from tests.support.stuck import stuck_rows
from uploads.models import Job, Step, Upload, Worker, holding
from uploads.models.glance import glance
from uploads.models.hold import owner_place
from uploads.models.snapshot import snapshot
from uploads.models.waiting import Waiting, why_steps_wait, why_waiting
from uploads.states import OPEN_STEP_STATES, Lane, StepKind, StepState
from uploads.storage import store
from uploads.work.quota import hold_over_quota
from uploads.work.run import run_next

pytestmark = pytest.mark.django_db

JobOf = Callable[..., Job]
GIB = 1024**3
STATES = ("receiving", "to plan", "planned", "retrying", "running")
WISHES = ("", "paused", "cancelling")
HOLDS = ("", "all", "lane", "owner")
LANES = ("alive", "dead", "full")
WORDS = {
    "cancelling": "Cancelling",
    "paused": "Paused by alice.",
    "upload": "0 of 1 files have arrived.",
    "no_worker": "is alive; it starts as soon as one is.",
    "retry": "The next try begins in about",
    "next": "Next in line: it starts as soon as a worker is free.",
    "lane_limit": "At most 1 step of ",
    "parts": "It begins when all parts are done.",
}


def alive(lane: Lane, budget: int = 10 * GIB, host: str = "here") -> Worker:
    return Worker.objects.create(host=host, pid=1, start_time=lane, lane=lane, budget_bytes=budget)


@pytest.fixture
def lanes(db: None) -> None:
    alive(Lane.CPU), alive(Lane.LIGHT)


def step_of(job: Job, **values: Any) -> Step:
    given = {"kind": StepKind.WORK, "seq": 90, "lane": Lane.CPU, "owner": job.owner, **values}
    return Step.objects.create(job=job, stage=job.stages.get(), **given)


def made(job_of: JobOf, text_upload: Callable[..., Upload], state: str) -> tuple[Job, Lane]:
    """Return a job in a state, and the lane in which it has something ready."""
    if state == "receiving":
        job = job_of("later")
        Upload.objects.update(state="receiving")
        Job.objects.update(state="receiving")
        job.steps.all().delete()
    else:
        job = job_of("one")
    if state in {"planned", "retrying", "running"}:
        assert run_next(Lane.LIGHT)
    if state == "retrying":
        job.steps.filter(state=StepState.READY).update(
            not_before=timezone.now() + timedelta(minutes=1)
        )
    if state == "running":
        assert Step.objects.claim(Lane.CPU, "here:b:1:2")
        item = job.items.get()
        step_of(job, kind=StepKind.JOIN, seq=0, state=StepState.PENDING, item=item)
        step_of(job, item=item)
    job.refresh_from_db()
    return job, Lane.LIGHT if state == "to plan" else Lane.CPU


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def beset(job: Job, lane: Lane, wish: str, hold: str, lanes: str) -> None:
    """Bring all of it upon a job, as people and dying hosts do."""
    if wish == "paused":
        job.pause("alice")
    elif wish == "cancelling":
        Job.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now())
    if hold:
        holding.hold(
            {"owner": owner_place(job.owner_id), "lane": f"lane:{lane}"}.get(hold, hold), "root"
        )
    if lanes != "dead":
        alive(Lane.CPU), alive(Lane.LIGHT)
    if lanes == "full":
        fill(lane, job)
        holding.limit(lane, 1, "root")
    job.refresh_from_db()


def fill(lane: Lane, job: Job) -> None:
    """Let one more step of the lane run."""
    later = timezone.now() + timedelta(minutes=1)
    step_of(
        job,
        seq=95,
        lane=lane,
        state=StepState.RUNNING,
        lease_owner="here:b:9:9",
        lease_token="token",
        lease_until=later,
        deadline_at=later,
    )


def expected(state: str, wish: str, hold: str, lanes: str) -> str:
    """Return the reason that a person needs to hear first."""
    if wish:
        return wish
    if hold in {"all", "owner"}:
        return "held"
    if state == "receiving":
        return "upload"
    if hold == "lane":
        return "held"
    if lanes == "dead":
        return "no_worker"
    if state == "retrying":
        return "retry"
    return "lane_limit" if lanes == "full" else "next"


def says(waiting: Waiting, hold: str) -> bool:
    words = WORDS.get(waiting.reason, "")
    if waiting.reason == "held":
        whose = {"all": "All work is", "owner": "All jobs of alice are"}
        words = f"{whose.get(hold, '')} paused by root."
    return words.strip() in waiting.text


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_its_sentence(
    state: str, job_of: JobOf, text_upload: Callable[..., Upload]
) -> None:
    job, lane = made(job_of, text_upload, state)
    for wish, hold, lanes in product(WISHES, HOLDS, LANES):
        with undone():
            beset(job, lane, wish, hold, lanes)
            told = {**why_waiting([job]), **_of_steps(job)}
            assert told
            reason = expected(state, wish, hold, lanes)
            for waiting in told.values():
                rightly = {reason, "parts"} if state == "running" else {reason}
                assert waiting.reason in rightly, (wish, hold, lanes, waiting)
                assert says(waiting, hold), waiting
            assert stuck_rows() == []


def _of_steps(job: Job) -> dict[int, Waiting]:
    waiting = list(job.steps.filter(state__in=OPEN_STEP_STATES).exclude(state=StepState.RUNNING))
    told = why_steps_wait(job, waiting)
    assert set(told) == {step.pk for step in waiting}
    return {-pk: said for pk, said in told.items()}


def seen(job: Job) -> dict[str, Any]:
    job.refresh_from_db()
    shown: dict[str, Any] = glance([job])[0]["waiting"]
    return shown


def test_positions_and_starts_follow_the_claim(lanes: None, job_of: JobOf, alice: User) -> None:
    bob = make_user("bob")
    first, second, other = job_of("1"), job_of("2"), job_of("3", owner=bob)
    urgent = job_of("4", owner=make_user("carol"))
    urgent.set_priority(5, "root")
    assert [seen(job)["position"] for job in (urgent, first, second, other)] == [1, 2, 3, 4]
    step = Step.objects.claim(Lane.LIGHT, "here:b:1:2")
    assert step is not None
    assert step.job_id == urgent.pk
    step = Step.objects.claim(Lane.LIGHT, "here:b:1:3")
    assert step is not None
    assert step.job_id == first.pk
    # Alice has a step running, so Bob's first one is ahead of her second.
    assert [seen(job)["position"] for job in (other, second)] == [1, 2]
    starts = [seen(job)["starts_in_seconds"] for job in (other, second)]
    assert all(0 <= start["low"] <= start["high"] for start in starts)
    assert starts[0]["high"] <= starts[1]["high"]


def test_the_paused_and_the_held_are_not_ahead_of_anybody(
    lanes: None, job_of: JobOf, alice: User
) -> None:
    paused, held, mine = job_of("1"), job_of("2", owner=make_user("bob")), job_of("3")
    paused.pause("alice")
    holding.hold(owner_place(held.owner_id), "root")
    assert seen(mine)["position"] == 1
    assert seen(mine)["reason"] == "next"


def test_a_lane_is_judged_by_itself(job_of: JobOf) -> None:
    alive(Lane.LIGHT)
    job = job_of("one")
    assert run_next(Lane.LIGHT)
    assert seen(job)["reason"] == "no_worker"
    assert "heavy work" in seen(job)["text"]
    job.add_plan_step(job.stages.get())
    assert seen(job)["reason"] == "next"


def test_the_page_says_why_a_kind_of_step_waits_while_others_run(
    lanes: None, job_of: JobOf, text_upload: Callable[..., Upload]
) -> None:
    job, _lane = made(job_of, text_upload, "running")
    rows = {row["kind"]: row for row in snapshot(job)["shown"]["timeline"]}
    assert rows["join"]["detail"] == "It begins when all parts are done."
    assert "It begins" not in rows["work"]["detail"]


def test_missing_memory_is_named(job_of: JobOf, alice: User) -> None:
    alive(Lane.CPU, 4 * GIB), alive(Lane.LIGHT)
    job = job_of("one")
    assert run_next(Lane.LIGHT)
    other = job_of("two", owner=make_user("bob"))
    step_of(other, state=StepState.RUNNING, lease_owner="here:b:1:2", needs_memory_bytes=3 * GIB)
    job.steps.filter(state=StepState.READY).update(needs_memory_bytes=2 * GIB)
    assert seen(job)["reason"] == "memory"
    assert "running steps leave 1.0\xa0GB" in seen(job)["text"]
    job.steps.filter(state=StepState.READY).update(needs_memory_bytes=5 * GIB)
    assert seen(job)["reason"] == "too_large"
    assert "more than 4.0\xa0GB" in seen(job)["text"]


def test_missing_disk_is_named(lanes: None, job_of: JobOf, settings: Any) -> None:
    job = job_of("one")
    assert run_next(Lane.LIGHT)
    settings.TIDEMILL_DISK_RESERVE_BYTES = store.free_bytes() * 2
    assert not run_next(Lane.CPU)
    assert seen(job)["reason"] == "disk_full"
    assert "no room" in seen(job)["text"]
    settings.TIDEMILL_DISK_RESERVE_BYTES = 0
    assert seen(job)["reason"] == "next"


def test_a_reached_limit_is_named(lanes: None, job_of: JobOf, settings: Any) -> None:
    job = job_of("one")
    assert run_next(Lane.LIGHT)
    Job.objects.filter(pk=job.pk).update(max_inflight=1)
    waiting = step_of(job)
    assert Step.objects.claim(Lane.CPU, "here:b:1:2")
    job.refresh_from_db()
    told = why_steps_wait(job, [waiting])[waiting.pk]
    assert (told.reason, told.text[:23]) == ("limit", "1 step of this job runs")
    settings.TIDEMILL_OWNER_MAX_INFLIGHT = 1
    assert seen(job_of("two"))["reason"] == "limit"


def test_a_full_lane_is_named_with_the_place_in_it(lanes: None, job_of: JobOf) -> None:
    first, second = job_of("one"), job_of("two")
    assert Step.objects.claim(Lane.LIGHT, "here:b:1:2")
    assert (seen(second)["reason"], seen(second)["position"]) == ("next", 1)
    holding.limit("light", 1, "root")
    waiting = seen(second)
    assert waiting["text"] == ("At most 1 step of planning and e-mails runs at once; 1 is running.")
    assert (waiting["reason"], waiting["position"]) == ("lane_limit", 1)
    assert waiting["starts_in_seconds"]
    third = job_of("three", owner=second.owner)
    assert seen(third)["text"] == (
        "1 job is ahead of this one. At most 1 step of planning and e-mails runs at once."
    )
    holding.limit("light", None, "root")
    assert seen(second)["reason"] == "next"
    assert first.steps.get().state == StepState.RUNNING


def test_over_quota_what_has_not_begun_waits_and_goes_on_by_itself(
    lanes: None, job_of: JobOf, settings: Any
) -> None:
    begun = job_of("one")
    assert run_next(Lane.LIGHT)
    job = job_of("two")
    settings.TIDEMILL_QUOTA_BYTES = 1
    assert [hold_over_quota(), hold_over_quota()] == [1, 0]
    assert seen(job)["reason"] == "over_quota"
    assert not run_next(Lane.LIGHT)
    assert not Step.objects.claimable(Lane.LIGHT).exists()
    assert Step.objects.claimable(Lane.CPU).exists()
    assert seen(begun)["reason"] == "next"
    settings.TIDEMILL_QUOTA_BYTES = GIB
    assert hold_over_quota() == 1
    assert run_next(Lane.LIGHT)


def test_a_row_that_nobody_moves_is_found(job_of: JobOf) -> None:
    job = job_of("one")
    assert stuck_rows() == []
    job.steps.all().delete()
    assert [line for line in stuck_rows() if line.startswith("open item")]
    step_of(job, state=StepState.RUNNING)
    assert [line for line in stuck_rows() if line.startswith("running step")]
