"""Holders of a step as a worker is one, but for the child: they write its file themselves.

Each may run in a thread of its own, with its own connection, and be held at any point: before
each statement to the database and before and after what it does to files.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from uploads.models import Step
from uploads.states import StepKind
from uploads.work.adopt import adopt, discard
from uploads.work.commit import commit_work
from uploads.work.outcome import Made, Outcome
from uploads.work.perform import perform
from uploads.work.scratch import Scratch

PATIENCE_SECONDS = 60.0
BLOCKED_SECONDS = 0.3


def finish(step: Step) -> None:
    """Do what a work step's worker does around its child; raises `LeaseLost` after tidying up.

    A plan of an operation that is not divisible has no child: it is performed.
    """
    if step.kind == StepKind.PLAN:
        perform(step)
        return
    with Scratch(step) as scratch:
        outcomes = []
        for item in step.items.open().order_by("position"):
            path = scratch.out / f"{item.pk}.txt"
            path.write_text(step.lease_token)
            outcomes.append(Outcome(item.pk, done=True, made=[Made(path, "result", {})]))
        pass_point()
        adopted = adopt(step, outcomes, lambda: None)
        pass_point()
        try:
            commit_work(step, outcomes, adopted)
        except BaseException:
            pass_point()
            discard(adopted)
            raise
        pass_point()


class Actor(threading.Thread):
    """One party in a thread of its own; `stop_at` holds it before its n-th point until `go`."""

    def __init__(self, act: Callable[[], Any], stop_at: int | None = None) -> None:
        super().__init__(daemon=True)
        self.result: Any = None
        self.error: BaseException | None = None
        self.points = 0
        self.inside = False
        self._act, self._stop_at = act, stop_at
        self._halted, self._go = threading.Event(), threading.Event()

    def run(self) -> None:
        try:
            with connection.execute_wrapper(self._statement):
                self.result = self._act()
        except BaseException as error:
            self.error = error
        finally:
            connection.close()
            self._halted.set()

    def _statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.point()
        return execute(sql, params, many, context)

    def point(self) -> None:
        """Pass one point, or be held there."""
        if self.points == self._stop_at:
            self.inside = connection.in_atomic_block
            self._halted.set()
            assert self._go.wait(PATIENCE_SECONDS), "nobody let it go on"
        self.points += 1

    def halted(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until it is held or has ended; False when another's lock keeps it longer."""
        return self._halted.wait(seconds)

    def go(self) -> None:
        self._go.set()

    def end(self) -> None:
        """Wait for its end and raise what it raised, `LeaseLost` and refusals apart."""
        self.go()
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "it never ended"


def pass_point() -> None:
    """Pass a point between two things that a holder does to files."""
    thread = threading.current_thread()
    if isinstance(thread, Actor):
        thread.point()


def in_turns(first: Actor, second: Actor) -> None:
    """Hold the first at its point, let the second come to its own, and let both end.

    Whoever is held inside a transaction keeps the other waiting for a lock; then the order
    is the database's.
    """
    first.start()
    assert first.halted(), "the first never came to its point"
    second.start()
    second.halted(BLOCKED_SECONDS if first.inside else PATIENCE_SECONDS)
    first.go()
    if second.inside:
        first.join(BLOCKED_SECONDS)
        second.go()
    first.end()
    second.end()


def race(*acts: Callable[[], Any], seed: int = 0) -> list[Actor]:
    """Let all begin at once, each with its own connection; return them ended.

    A few milliseconds, drawn by the seed, shift who comes first.
    """
    shifts = random.Random(seed)
    barrier = threading.Barrier(len(acts))

    def begin(act: Callable[[], Any], shift: float) -> Callable[[], Any]:
        def run() -> Any:
            connection.ensure_connection()
            barrier.wait(PATIENCE_SECONDS)
            until = time.perf_counter() + shift
            while time.perf_counter() < until:
                time.sleep(0)
            return act()

        return run

    actors = [Actor(begin(act, shifts.choice((0, 0, shifts.random() / 100)))) for act in acts]
    for actor in actors:
        actor.start()
    for actor in actors:
        actor.end()
    return actors


def errors(actors: Sequence[Actor], *expected: type[BaseException]) -> list[BaseException]:
    """Return what the actors raised; anything unexpected is raised here."""
    raised = [actor.error for actor in actors if actor.error is not None]
    for error in raised:
        if not isinstance(error, expected):
            raise error
    return raised
