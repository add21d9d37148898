"""Every verb in every order, against the rules in plain Python, and against the tables of states."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.factories import make_job, make_upload, make_user
from tests.support.invariants import assert_consistent
from tests.work import reference
from tests.work.test_recover import DEAD
from uploads.conf import conf
from uploads.errors import LeaseLost, RequestError, StepError
from uploads.models import Job, Step, Upload
from uploads.operations.registry import find
from uploads.states import JOB_CHANGES, STEP_CHANGES, JobState, StepState, UploadState
from uploads.work import plan, recover, retention
from uploads.work.clock import Watch
from uploads.work.commit import commit_failure, commit_work
from uploads.work.outcome import Outcome, Problem
from uploads.work.presence import me
from uploads.work.unfinished import commit_cancel, commit_release

BAD = Problem("not_an_image", {}, "input")
PASSING = StepError("tool_failed", tool="copier", reason="no luck")
LASTING = StepError("step_timeout", limit="1 s")


class Mill(RuleBasedStateMachine):
    """One or two jobs of a user; `held` are the steps as their workers claimed them."""

    text: Path
    alice: User

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[int, reference.Job] = {}
        self.held: dict[int, Step] = {}
        self.stale: list[Step] = []
        self.states: dict[tuple[str, int], str] = {}
        self.numbers: dict[int, int] = {}

    def teardown(self) -> None:
        try:
            self.nothing_needs_mending()
        finally:
            for job in Job.objects.all():
                job.remove("alice")
            Upload.objects.all().delete()

    # --- jobs and their files -----------------------------------------------------

    @initialize(
        files=st.lists(st.booleans(), min_size=1, max_size=3),
        divisible=st.booleans(),
        claims=st.integers(0, 3),
    )
    def first(self, files: list[bool], divisible: bool, claims: int) -> None:
        """Begin with a job, sometimes with one that is planned and under way."""
        self.submit(files, divisible)
        if claims:
            self.the_rows_follow_the_rules()
            self.claim()
            for step in list(self.held.values()):
                self.commit_plan(step, self.jobs[step.job_id], good=True, parts=2)
                self.let_go(step)
            for _ in range(claims - 1):
                self.claim()

    @precondition(lambda self: len(self.jobs) < 2)
    @rule(files=st.lists(st.booleans(), min_size=1, max_size=3), divisible=st.booleans())
    def another(self, files: list[bool], divisible: bool) -> None:
        self.submit(files, divisible)

    def submit(self, files: list[bool], divisible: bool) -> None:
        uploads = [
            make_upload(self.alice, self.text, media_type="text/plain", complete=here)
            for here in files
        ]
        row = make_job(self.alice, uploads, "test.lines" if divisible else "test.copy")
        items = {
            item.pk: reference.Item("here" if here else "receiving")
            for item, here in zip(row.items.order_by("position"), files, strict=True)
        }
        model = self.jobs[row.pk] = reference.Job(divisible, items)
        model.submitted()

    @rule(data=st.data(), comes=st.booleans())
    def file(self, data: st.DataObject, comes: bool) -> None:
        """Let a file arrive, or give it up."""
        files = [(job, n) for job in self.jobs.values() for n in job.items]
        job, number = data.draw(st.sampled_from(files))
        item, upload = job.items[number], Upload.objects.filter(items=number).first()
        if upload is None or item.file == "gone":
            return
        if comes:
            assert upload.complete(kind="text", media_type="text/plain") == (item.file != "here")
            if item.file == "receiving":
                job.arrived(item)
        else:
            used = item.file == "here" and not job.ended
            assert upload.remove(UploadState.TERMINATED) == (not used)
            if not used:
                job.removed(item)

    # --- claim ---------------------------------------------------------------------

    @rule()
    def claim(self) -> None:
        """Claim what planners may take, or else what the others may."""
        for lane in ("light", "cpu"):
            expected = {
                n for j in self.jobs.values() for n in j.claimable() if self.lane(j, n) == lane
            }
            step = Step.objects.claim(lane, me())
            assert (step.pk if step else None) in (expected or {None})
            if step is not None:
                self.held[step.pk] = step
                self.jobs[step.job_id].claimed(step.pk)
                return

    @staticmethod
    def lane(job: reference.Job, number: int) -> str:
        return "light" if job.steps[number].kind == "plan" else "cpu"

    @rule()
    def time_passes(self) -> None:
        """Make every pause before a retry end."""
        Step.objects.filter(state=StepState.READY).update(not_before=timezone.now())
        for job in self.jobs.values():
            for step in job.steps.values():
                step.due = True

    # --- what the holder of a step does ------------------------------------------------

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        verb=st.sampled_from(
            ["succeed", "bad", "fail", "fail_for_good", "release", "unwind", "die", "silence"]
        ),
        parts=st.integers(1, 3),
    )
    def end_of_a_hold(self, data: st.DataObject, verb: str, parts: int) -> None:
        """Let the holder of a step, or its death, end the hold."""
        step = data.draw(st.sampled_from([self.held[n] for n in sorted(self.held)]))
        job = self.jobs[step.job_id]
        if verb in {"succeed", "bad"}:
            if not self.succeed(step, job, verb == "succeed", parts):
                return
        elif verb in {"fail", "fail_for_good"}:
            commit_failure(step, PASSING if verb == "fail" else LASTING)
            self.stand_still(step)
            job.failed(step.pk, passing=verb == "fail")
        elif verb == "release":
            commit_release(step)
            job.released(step.pk)
        elif verb == "unwind":
            commit_cancel(step)
            job.unwound(step.pk)
        else:
            (self.die if verb == "die" else self.fall_silent)(step)
            job.lost(step.pk)
        self.let_go(step)

    @staticmethod
    def stand_still(step: Step) -> None:
        """Let a pause before a retry last until `time_passes`, however slow the machine is."""
        paused = Step.objects.filter(pk=step.pk, not_before__gt=timezone.now())
        paused.update(not_before=timezone.now() + timedelta(days=1))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), share=st.floats(0, 1))
    def go_on(self, data: st.DataObject, share: float) -> None:
        """Renew a lease, or take the items of a plan."""
        step = data.draw(st.sampled_from([self.held[n] for n in sorted(self.held)]))
        assert Step.renew(step.lease, share)
        if step.kind == "plan":
            plan.take(step)
            self.jobs[step.job_id].taken(step.pk)

    def let_go(self, step: Step) -> None:
        """Note that the holder's lease has ended; what it tries later must fail."""
        self.stale.append(self.held.pop(step.pk))

    def succeed(self, step: Step, job: reference.Job, good: bool, parts: int) -> bool:
        if step.kind == "plan":
            self.commit_plan(step, job, good, parts)
            return True
        items = [n for n, i in job.items.items() if step.pk == i.step or step.item_id == n]
        if not any(job.items[n].state == "open" for n in items):
            return False  # `perform` cancels such a step
        outcome = Outcome(items[0], done=good, problem=None if good else BAD)
        commit_work(step, [outcome], {})
        (job.done if good else job.bad_input)(step.pk)
        return True

    def commit_plan(self, step: Step, job: reference.Job, good: bool, parts: int) -> None:
        items = plan.take(step)
        job.taken(step.pk)
        bad = [] if good else [item.pk for item in items[:1]]
        outcomes = {}
        for item in items:
            outcomes[item.pk] = Outcome(item.pk, done=True)
            outcomes[item.pk].parts = [{"params": {"line": n}, "weight": 1.0} for n in range(parts)]
        before = set(Step.objects.values_list("pk", flat=True))
        operation = find(step.stage.operation)
        plan.commit_plan(step, items, operation, dict.fromkeys(bad, BAD), outcomes)
        rows = Step.objects.exclude(pk__in=before)
        made = {
            row.pk: reference.Step(
                row.kind, "pending" if row.kind == "join" else "ready", row.item_id
            )
            for row in rows
        }
        taken = [item.pk for item in items if item.pk not in bad]
        job.planned(step.pk, bad, made)
        works = [n for n, s in made.items() if s.kind == "work"]
        if job.divisible:
            assert len(made) == len(taken) * (1 + parts)
        else:
            assert len(works) == len(made) == len(taken)  # a batch holds one item here
            for key in taken:
                row = rows.get(items=key)
                job.items[key].step = row.pk

    @staticmethod
    def die(step: Step) -> None:
        Step.held(step.lease).update(lease_owner=DEAD)
        assert recover.recover_dead_workers() == 1

    def fall_silent(self, step: Step) -> None:
        now = [0.0]
        watch: Watch[recover.Watched] = Watch(now=lambda: now[0])
        assert recover.recover_silent_workers(watch) == 0
        for other in self.held.values():
            assert other is step or Step.renew(other.lease, 0.5)
        now[0] = conf.LEASE_SECONDS + 1
        assert recover.recover_silent_workers(watch) == 1

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def wake_up_late(self, data: st.DataObject) -> None:
        """Let somebody whose lease is over try everything; nothing may come of it."""
        step = data.draw(st.sampled_from(self.stale))
        item = step.item_id or next(iter(self.jobs.get(step.job_id, NOBODY).items), 0)
        outcome = [Outcome(item, done=True)] if step.kind != "plan" else []
        for attempt in (
            lambda: commit_work(step, outcome, {}),
            lambda: commit_failure(step, LASTING),
            lambda: commit_release(step),
            lambda: commit_cancel(step),
            lambda: plan.take(step),
        ):
            with pytest.raises(LeaseLost):
                attempt()
        assert not Step.renew(step.lease, 1)

    # --- wishes ---------------------------------------------------------------------------

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), wish=st.sampled_from(["cancel", "pause", "resume", "priority", "retry"]))
    def wish(self, data: st.DataObject, wish: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.jobs)))
        job, row = self.jobs[number], Job.objects.get(pk=number)
        if wish == "priority":
            job.priority = data.draw(st.integers(-100, 100))
            row.set_priority(job.priority, "alice")
        elif wish == "retry":
            expected = job.retry()
            try:
                row.retry("alice")
                assert expected
            except RequestError:
                assert not expected
        else:
            assert getattr(row, wish)("alice") == getattr(job, wish)()

    @precondition(lambda self: len(self.jobs) > 1)
    @rule(data=st.data(), by_age=st.booleans())
    def remove(self, data: st.DataObject, by_age: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.jobs)))
        row = Job.objects.get(pk=number)
        if by_age:
            past = timezone.now() - timedelta(days=1)
            Job.objects.filter(pk=number).exclude(finished_at=None).update(expires_at=past)
            assert retention.prune_jobs() == self.jobs[number].ended
            if not self.jobs[number].ended:
                return
        else:
            row.remove("alice")
        del self.jobs[number]
        for step in [step for step in self.held.values() if step.job_id == number]:
            self.let_go(step)

    # --- what must hold ----------------------------------------------------------------------

    @invariant()
    def the_rows_follow_the_rules(self) -> None:
        for number, job in self.jobs.items():
            row = Job.objects.get(pk=number)
            self.meet_new_plans(row, job)
            assert (row.state, bool(row.paused_at)) == (job.state, job.paused)
            assert (row.cancel_requested_at is not None) == job.cancelling
            assert (row.settled_at is not None) == job.ended
            assert row.priority == job.priority
            items = {i.pk: (i.state, i.step_id) for i in row.items.all()}
            assert items == {n: (i.state, i.step) for n, i in job.items.items()}
            fields = ("state", "attempt", "crashes")
            steps = {s.pk: tuple(getattr(s, f) for f in fields) for s in row.steps.all()}
            assert steps == {n: (s.state, s.attempt, s.crashes) for n, s in job.steps.items()}

    @staticmethod
    def meet_new_plans(row: Job, job: reference.Job) -> None:
        """Learn the numbers of the plan steps that the rules have just asked for."""
        new = row.steps.filter(kind="plan").exclude(pk__in=job.steps)
        assert new.count() == job.new_plans
        job.steps |= {step.pk: reference.Step("plan", "ready") for step in new}
        job.new_plans = 0

    @invariant()
    def changes_are_in_the_tables(self) -> None:
        tables: dict[str, Any] = {"job": (Job, JOB_CHANGES), "step": (Step, STEP_CHANGES)}
        for name, (model, table) in tables.items():
            kind = {"job": JobState, "step": StepState}[name]
            for number, state in model.objects.values_list("pk", "state"):
                before = self.states.get((name, number), state)
                assert before == state or kind(state) in table[kind(before)], (name, before, state)
                self.states[name, number] = state

    @invariant()
    def numbers_only_grow(self) -> None:
        for number, seq in Job.objects.values_list("pk", "seq"):
            assert seq >= self.numbers.get(number, 0)
            self.numbers[number] = seq

    @rule()
    def nothing_needs_mending(self) -> None:
        assert_consistent()
        assert plan.add_missing_plans() == 0
        assert recover.ready_leftover_joins() == 0
        assert recover.mend_counters() == 0
        assert recover.settle_ended_jobs() == 0
        assert recover.recover_dead_workers() == 0


NOBODY = reference.Job(divisible=False, items={})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("examples", "steps"), [(20, 30), pytest.param(2000, 60, marks=pytest.mark.soak)]
)
def test_every_order_of_the_verbs_follows_the_rules(
    tmp_path: Path, settings: Any, examples: int, steps: int
) -> None:
    settings.TIDEMILL_STEP_SECONDS = 0.1  # one item a batch
    Mill.text = tmp_path / "text.txt"
    Mill.text.write_text("text")
    Mill.alice = make_user()
    run_state_machine_as_test(Mill, settings=depth(examples, steps))


def depth(examples: int, steps: int) -> settings:
    """Return how far to look: always the same way in a short run, another each soak."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize="TIDEMILL_SOAK" not in os.environ,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
