"""Perform: run one claimed step in a sandboxed child and commit what it made."""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any

from uploads.conf import conf
from uploads.errors import Cancelled, InputError, LeaseLost, RequestError, StepError, TidemillError
from uploads.models import Item, Step
from uploads.operations import Operation
from uploads.operations.outside import Outside
from uploads.operations.registry import find
from uploads.states import StepKind
from uploads.work import notify
from uploads.work.adopt import adopt, discard
from uploads.work.bounds import Bounds, operation_limits
from uploads.work.commit import (
    commit_failure,
    commit_work,
    may_retry,
)
from uploads.work.fingerprints import Fingerprints
from uploads.work.full_disk import NoRoom, check_outcomes, check_running, commit_hold
from uploads.work.lease import AWAY, Grip, Released
from uploads.work.lost import redo_lost_parts
from uploads.work.midway import Patience, save, saved_for, stop_midway
from uploads.work.outcome import Fault, Outcome, Problem
from uploads.work.outside import as_request, hidden, reached, walls
from uploads.work.plan import commit_plan, take, unfit
from uploads.work.reuse import take_over
from uploads.work.sandbox import Exit, run_child
from uploads.work.scratch import Scratch
from uploads.work.unfinished import commit_cancel, commit_release, commit_return

log = logging.getLogger("tidemill.work")

BIG_BYTES = 1024**3

Then = Callable[[], None] | None


def perform(step: Step, then: Then = None) -> None:
    """Run a claimed step to one of its ends; whatever happens, the next step can follow.

    `then` is called inside the transaction that commits its work, if it comes to that.
    """
    grip = Grip(step)
    try:
        try:
            _perform(step, grip, then)
        except Cancelled:
            grip.insist(lambda: commit_cancel(step))
        except Released:
            grip.insist(lambda: commit_release(step))
        except AWAY as error:
            log.warning("the database went away, step %s is put back: %s", step.pk, error)
            grip.insist(lambda: commit_return(step))
        except NoRoom as full:
            _put_back(step, grip, full)
        except TidemillError as error:
            _fail(step, grip, error)
        except LeaseLost:
            raise
        except Exception as error:  # our own bug must not hold the step until its lease ends
            log.exception("step %s of job %s", step.pk, step.job.key)
            _fail(
                step, grip, StepError("operation_bug", name=step.job.name, reason=repr(error)[:300])
            )
    except LeaseLost:
        log.warning("step %s belongs to another worker now; its work is discarded", step.pk)


def _put_back(step: Step, grip: Grip, full: NoRoom) -> None:
    try:
        grip.insist(lambda: commit_hold(step, full.needs_bytes))
    except StepError as error:
        _fail(step, grip, error)


def _fail(step: Step, grip: Grip, error: TidemillError) -> None:
    log.warning("step %s of job %s: %s", step.pk, step.job.key, error)
    grip.insist(lambda: commit_failure(step, error))


def _perform(step: Step, grip: Grip, then: Then) -> None:
    if step.kind in {StepKind.NOTIFY, StepKind.FINAL}:
        notify.send(step, grip)
        return
    try:
        operation = find(step.stage.operation)
    except RequestError as error:
        raise StepError("operation_gone", operation=step.stage.operation) from error
    if step.kind == StepKind.PLAN:
        _plan(step, grip, operation)
    else:
        _work(step, grip, operation, then)


def _plan(step: Step, grip: Grip, operation: Operation[Any]) -> None:
    items = grip.insist(lambda: take(step))
    problems = unfit(items, operation)
    bad = [item for item in items if item.pk in problems]
    good = take_over(step, grip, operation, [i for i in items if i.pk not in problems])
    outcomes: dict[int, Outcome] = {}
    if operation.divisible and good:
        with Scratch(step) as scratch, Fingerprints(step, operation, good) as prints:
            run = ChildRun(step, grip, operation, scratch, "plan", good)
            found = run.serve()
            check_outcomes(scratch.folder, found)
            prints.finish(grip.tick, grip.insist)
            for outcome in found:
                outcomes[outcome.key] = outcome
                if outcome.problem is None:
                    continue
                if may_retry(step, outcome.problem):
                    raise StepError(outcome.problem.code, **outcome.problem.values)
                problems[outcome.key] = outcome.problem
    grip.insist(lambda: commit_plan(step, [*bad, *good], operation, problems, outcomes))


def _work(step: Step, grip: Grip, operation: Operation[Any], then: Then) -> None:
    if step.item is not None:
        items = list(Item.objects.open().filter(pk=step.item.pk).select_related("upload"))
        if not items:
            raise Cancelled  # another part failed: a success without files would fool the join
    else:
        items = Item.objects.open_of(step)
    if step.kind == StepKind.JOIN and grip.insist(lambda: redo_lost_parts(step)):
        return
    if not items:
        grip.insist(lambda: commit_work(step, [], {}, then))
        return
    call = "join" if step.kind == StepKind.JOIN else "run"
    whole = [] if call == "run" and step.item_id else items
    with Scratch(step) as scratch, Fingerprints(step, operation, whole) as prints:
        run = ChildRun(step, grip, operation, scratch, call, items)
        try:
            outcomes = run.serve()
            check_outcomes(scratch.folder, outcomes)
        except (Cancelled, Released) as wish:
            outcomes = list(run.outcomes.values())
            if not all(outcome.ended for outcome in outcomes):
                stop_midway(step, grip, outcomes, wish)
                return
        problem = outcomes[0].problem if step.item is not None and outcomes else None
        if problem is not None and may_retry(step, problem):
            raise StepError(problem.code, **{**problem.values, "detail": problem.detail})
        if sum(made.path.stat().st_size for o in outcomes for made in o.made) > BIG_BYTES:
            grip.extend()  # to hash and sync that much takes a while
        keys = prints.finish(Patience(grip), grip.insist)
        adopted = adopt(step, outcomes, Patience(grip))
        try:
            grip.insist(lambda: commit_work(step, outcomes, adopted, then, keys))
        except BaseException:
            discard(adopted)
            raise


class ChildRun:
    """Runs the children of one step until every item has an outcome.

    A child that dies, or takes too long over several items, leaves one in doubt: that one is
    tried once more alone, with a whole time limit, and the others go on in a fresh child.
    """

    def __init__(
        self,
        step: Step,
        grip: Grip,
        operation: Operation[Any],
        scratch: Scratch,
        call: str,
        items: Sequence[Item],
    ) -> None:
        self.step = step
        self.grip = grip
        self.operation = operation
        self.scratch = scratch
        self.call = call
        self.items = {item.pk: item for item in items}
        self.outcomes = {item.pk: Outcome(item.pk) for item in items}
        self._note = ""
        self.outside: Outside | None = None

    def serve(self) -> list[Outcome]:
        """Return one outcome for each item, in their order."""
        self._note_lost()
        doubtful: set[int] = set()
        children = 0
        while waiting := self._waiting():
            alone = [key for key in waiting if key in doubtful][:1]
            if children:
                self.grip.extend()  # each child has the whole limit
                self._clear()
            children += 1
            exit_ = self._child(alone or waiting)
            left = [key for key in (alone or waiting) if not self.outcomes[key].ended]
            if not left:
                continue
            culprit = next((key for key in left if self.outcomes[key].started), left[0])
            code = exit_.code or "decoder_crashed"
            slow_neighbours = code == "step_timeout" and len(alone or waiting) > 1
            if culprit not in doubtful and (code == "decoder_crashed" or slow_neighbours):
                doubtful.add(culprit)
                continue
            fault: Fault = "input" if code == "decoder_crashed" else "step"
            values = {"name": self.items[culprit].name, **exit_.values}
            self.outcomes[culprit].problem = Problem(
                code, values, fault, hidden(exit_.detail, self.outside)
            )
        return list(self.outcomes.values())

    def _note_lost(self) -> None:
        """Give up the items whose files or connection are gone; the others go on."""
        try:
            self.outside = reached(self.step, self.operation)
        except InputError as refusal:
            for outcome in self.outcomes.values():
                outcome.problem = Problem(refusal.code, dict(refusal.values), "input")
            return
        for key, item in self.items.items():
            if lost := self.scratch.lost(item):
                self.outcomes[key].problem = Problem("source_gone", {"name": lost.name}, "input")

    def _clear(self) -> None:
        """Remove what files that are not done left: it counts against the next ones' limits."""
        for key, outcome in self.outcomes.items():
            if not outcome.done:
                self.scratch.clear(key)

    def _waiting(self) -> list[int]:
        return [key for key, outcome in self.outcomes.items() if not outcome.ended]

    def _child(self, keys: Sequence[int]) -> Exit:
        bounds = Bounds(
            inputs=self.scratch.inputs,
            out=self.scratch.out,
            memory_bytes=self.operation.memory_bytes,
            wall_seconds=self.step.time_limit.total_seconds(),
            output_bytes=conf.OUTPUT_MAX_BYTES,
            profile=self.operation.profile,
            **walls(self.outside),
        )
        with self.grip.kept():  # a file system without links has to copy what is big
            request = self._request(keys)
        return run_child(request, bounds, on_message=self._hear, tick=self._tick)

    def _tick(self) -> None:
        self.grip.tick()
        check_running(self.scratch.folder)

    def _request(self, keys: Sequence[int]) -> dict[str, Any]:
        items = []
        for key in keys:
            described = self.scratch.item(self.items[key])
            if self.call == "join":
                described["parts"] = self.scratch.parts(self.items[key])
            elif self.step.item_id:
                described["part"] = self.step.params
            described["options"] = self.items[key].options
            described["saved"] = saved_for(self.step, key, self.operation.version)
            items.append(described)
        return {
            "module": self.operation.module,
            "operation": self.operation.name,
            "call": self.call,
            "options": self.step.stage.options,
            "files": self.scratch.files(),
            "limits": dataclasses.asdict(operation_limits()),
            "sample_seconds": self.step.job.sample_seconds,
            "outside": as_request(self.outside),
            "out": str(self.scratch.out),
            "items": items,
        }

    def _hear(self, said: dict[str, Any]) -> None:
        message = hidden(said, self.outside)
        outcome = self.outcomes.get(int(message.get("item", -1)))
        if outcome is None:
            return
        message.get("values", {}).setdefault("name", self.items[outcome.key].name)
        outcome.hear(message)
        if message["t"] == "checkpoint":
            save(self.grip, outcome.key, self.operation.version, message["state"])
        if message["t"] == "progress":
            self._note = str(message.get("note", ""))[:200]
        shares = [entry.progress if not entry.ended else 1.0 for entry in self.outcomes.values()]
        self.grip.progress(sum(shares) / len(shares), self._note)
