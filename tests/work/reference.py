"""The rules of jobs, items and steps as plain Python; knows no database. The rows must agree."""

from collections.abc import Iterable
from dataclasses import dataclass, field

TRIES = 3
DEATHS = 5
OPEN = ("pending", "ready", "running")


@dataclass
class Item:
    file: str  # receiving, here or gone
    state: str = "open"
    step: int | None = None


@dataclass
class Step:
    kind: str
    state: str
    item: int | None = None
    attempt: int = 0
    crashes: int = 0
    due: bool = True


@dataclass
class Job:
    """One job; `items` and `steps` go by the numbers of their rows."""

    divisible: bool
    items: dict[int, Item]
    state: str = "queued"
    steps: dict[int, Step] = field(default_factory=dict)
    cancelling: bool = False
    paused: bool = False
    started: bool = False
    priority: int = 0
    new_plans: int = 0  # plan steps that the next look at the rows must find

    # --- questions -------------------------------------------------------------

    @property
    def ended(self) -> bool:
        return self.state in {"succeeded", "partial", "failed", "cancelled"}

    def count(self, state: str) -> int:
        return sum(item.state == state for item in self.items.values())

    def claimable(self) -> set[int]:
        if self.paused or self.ended or self.cancelling:
            return set()
        return {n for n, step in self.steps.items() if step.state == "ready" and step.due}

    def carried(self, number: int) -> list[Item]:
        """Return the open items that depend on a step."""
        step = self.steps[number]
        if step.item is not None:
            chosen = [self.items[step.item]]
        else:
            chosen = [item for item in self.items.values() if item.step == number]
        if step.kind == "plan":
            chosen += self.unplanned()
        return [item for item in chosen if item.state == "open"]

    def unplanned(self) -> list[Item]:
        items = self.items.values()
        return [i for i in items if i.state == "open" and i.step is None and i.file == "here"]

    def parts(self, item: int, kind: str = "work") -> list[Step]:
        return [s for s in self.steps.values() if s.item == item and s.kind == kind]

    def _waits_for_files(self) -> bool:
        return any(item.file == "receiving" for item in self.items.values())

    # --- files -------------------------------------------------------------------

    def submitted(self) -> None:
        self.state = "receiving" if self._waits_for_files() else "queued"
        self.new_plans = bool(self.unplanned())

    def arrived(self, item: Item) -> None:
        item.file = "here"
        if self.cancelling or self.ended:
            return
        planning = any(s.kind == "plan" and s.state == "ready" for s in self.steps.values())
        self.new_plans = bool(self.unplanned()) and not planning
        self._leave_receiving()

    def removed(self, item: Item) -> None:
        item.file = "gone"
        if self.ended:
            return
        if item.state == "open" and item.step is None:
            item.state = "failed"
        self._leave_receiving()
        self.end_if_done()

    def _leave_receiving(self) -> None:
        if self.state == "receiving" and not self._waits_for_files():
            self.state = "running" if self.started else "queued"

    # --- the holder of a step --------------------------------------------------------

    def claimed(self, number: int) -> None:
        step = self.steps[number]
        step.state, step.attempt, self.started = "running", step.attempt + 1, True
        if self.state == "queued":
            self.state = "running"

    def taken(self, number: int) -> None:
        for item in self.unplanned():
            item.step = number

    def planned(self, number: int, bad: Iterable[int], made: dict[int, Step]) -> None:
        """End a plan; `made` are the steps for the good items, as the rows tell them."""
        self.steps[number].state = "succeeded"
        for key in bad:
            self._fail(key)
        self.steps |= made
        for key, item in self.items.items():
            if item.step == number and item.state == "open":
                own = [n for n, s in made.items() if s.item == key and s.kind == "join"]
                item.step = own[0] if own else None
        self.end_if_done()

    def done(self, number: int) -> None:
        step = self.steps[number]
        step.state = "succeeded"
        if step.kind == "work" and step.item is not None:
            self._ready_joins()
        else:
            for item in self.carried(number):
                item.state = "succeeded"
        self.end_if_done()

    def bad_input(self, number: int) -> None:
        """Fail the items of a step for their own fault: a part fails with them, a batch does not."""
        step = self.steps[number]
        step.state = "failed" if step.item is not None else "succeeded"
        self._fail_carried(number)
        self.end_if_done()

    def failed(self, number: int, *, passing: bool) -> None:
        step = self.steps[number]
        if self._forsaken(number):
            step.state = self._without_items(step)
        elif passing and step.attempt < TRIES:
            step.state, step.due = "ready", False
            self.end_if_done()
        else:
            step.state = "failed"
            self._fail_carried(number)
            self.end_if_done()

    def released(self, number: int) -> None:
        step = self.steps[number]
        if self._forsaken(number):
            step.state = self._without_items(step)
            return
        step.state, step.attempt, step.due = "ready", step.attempt - 1, True
        self.end_if_done()

    def unwound(self, number: int) -> None:
        """End a step whose holder was told to cancel."""
        step = self.steps[number]
        items = self.carried(number)
        if items and not self.cancelling:
            step.state, step.attempt, step.due = "ready", step.attempt - 1, True
            return
        step.state = "cancelled" if items else self._without_items(step)
        for item in items:
            item.state = "cancelled"
        self.end_if_done()

    def lost(self, number: int) -> None:
        """Take a step from a dead or silent worker."""
        step = self.steps[number]
        if self.cancelling or self._forsaken(number):
            left = self.carried(number)
            step.state = "cancelled" if left else self._without_items(step)
            for item in left:
                item.state = "cancelled"
            self.end_if_done()
            return
        step.crashes += 1
        if step.crashes == DEATHS:
            step.state = "failed"
            self._fail_carried(number)
            self.end_if_done()
        else:
            step.state, step.attempt, step.due = "ready", step.attempt - 1, True

    def _without_items(self, step: Step) -> str:
        """Return how a step ends that has nothing left: a plan is done, unless nobody wants it."""
        return "succeeded" if step.kind == "plan" and not self.cancelling else "cancelled"

    def _forsaken(self, number: int) -> bool:
        return self.steps[number].kind != "notify" and not self.carried(number)

    def _fail_carried(self, number: int) -> None:
        carried = self.carried(number)
        for key, item in self.items.items():
            if any(item is one for one in carried):
                self._fail(key)

    def _fail(self, key: int) -> None:
        if self.items[key].state == "open":
            self.items[key].state = "failed"
            self._call_off(step for step in self.steps.values() if step.item == key)

    def _ready_joins(self) -> None:
        for step in self.steps.values():
            if step.kind == "join" and step.state == "pending" and step.item is not None:
                parts = self.parts(step.item)
                if all(part.state == "succeeded" for part in parts):
                    step.state, step.due = "ready", True

    # --- wishes ---------------------------------------------------------------------

    def cancel(self) -> bool:
        if self.ended or self.cancelling:
            return False
        self.cancelling = True
        self.end_if_done()
        return True

    def pause(self) -> bool:
        changed = not self.paused and not self.ended
        self.paused |= changed
        return changed

    def resume(self) -> bool:
        changed = self.paused and not self.ended
        self.paused &= not changed
        return changed

    def doable(self) -> list[int]:
        ended = ("failed", "cancelled")
        return [n for n, i in self.items.items() if i.state in ended and i.file == "here"]

    def retry(self) -> bool:
        """Do again what failed or was cancelled; parts that succeeded are kept."""
        keys = self.doable()
        if not self.ended or not keys:
            return False
        for key in keys:
            item = self.items[key]
            item.state = "open"
            if not self.parts(key, "join"):
                item.step = None
                continue
            for step in self.parts(key) + self.parts(key, "join"):
                if step.state in {"failed", "cancelled"}:
                    step.state = "ready" if step.kind == "work" else "pending"
                    step.attempt = step.crashes = 0
                    step.due = True
        self._ready_joins()
        self.state, self.cancelling = "queued", False
        self.new_plans = bool(self.unplanned())
        return True

    # --- the end -----------------------------------------------------------------------

    def end_if_done(self) -> None:
        if self.cancelling and not self.ended:
            self._call_off(self.steps.values())
            running = {n for n, step in self.steps.items() if step.state == "running"}
            busy = {self.steps[n].item for n in running}
            for key, item in self.items.items():
                if item.state == "open" and item.step not in running and key not in busy:
                    item.state = "cancelled"
        if self.ended or self.count("open"):
            return
        self._call_off(self.steps.values())
        self.paused = False
        done, failed, cancelled = map(self.count, ("succeeded", "failed", "cancelled"))
        if self.cancelling and cancelled:
            self.state = "cancelled"
        elif not failed and not cancelled:
            self.state = "succeeded"
        else:
            self.state = "partial" if done else "failed"

    @staticmethod
    def _call_off(steps: Iterable[Step]) -> None:
        for step in steps:
            if step.state in {"pending", "ready"}:
                step.state = "cancelled"
