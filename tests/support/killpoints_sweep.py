"""The sweep over kill points: count a scenario's actions, kill at one, compare with no kill."""

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support import (
    killpoints_console,
    killpoints_people,
    killpoints_start,
    killpoints_web,
    killpoints_worker,
)
from tests.support.killpoints import DATABASE_KINDS, WRONG, Point, points_of
from tests.support.killpoints_checks import Found, examine, sweep
from tests.support.killpoints_role import Scenario
from tests.support.killpoints_world import World, log_steps
from tests.support.postgresql import PostgreSQL

SCENARIOS: tuple[Scenario, ...] = (
    *killpoints_start.SCENARIOS,
    *killpoints_web.SCENARIOS,
    *killpoints_people.SCENARIOS,
    *killpoints_console.SCENARIOS,
    *killpoints_worker.SCENARIOS,
)
TRIES = 3
# Of an action that one scenario repeats, such as copying 167 static files, so many are killed.
REPEATS = 40


@dataclass(frozen=True)
class Counted:
    """A scenario's situation, ready to be copied, its points and its end without a kill."""

    scenario: Scenario
    world: World
    points: list[Point]
    undisturbed: Found

    def kill_at(self, point: Point) -> list[str] | None:
        """Kill at a point, restart, and return every fault; None when the point was not met.

        What depends on the clock, such as a renewal, may be missing in one run or another.
        """
        for _ in range(TRIES):
            world = self.world.copy()
            try:
                if world.fork(
                    self.scenario.live, at=point, spare=self.scenario.role == "child"
                ).killed:
                    found = world.do(lambda: _after(self.scenario))
                    return [f"{self.scenario} at {point}: {fault}" for fault in self._faults(found)]
            except AssertionError as error:
                return [f"{self.scenario} at {point}: {error}"]
            finally:
                world.end()
        return None

    def _faults(self, found: Found) -> list[str]:
        faults = list(found.faults)
        more = found.starts - self.undisturbed.starts
        if more > self.scenario.redone:
            faults.append(f"{more} more steps began than without the kill")
        expected, outcome = self.undisturbed.outcome, found.outcome
        if self.scenario.unsure:
            expected, outcome = _with_doubt(expected), _with_doubt(outcome)
        faults += [
            f"{name} ended as {outcome[name]} instead of {expected[name]}"
            for name in expected
            if outcome[name] != expected[name]
        ]
        return faults


def _after(scenario: Scenario) -> Found:
    """Restart, let whoever was cut off come back, and look at the end."""
    if not scenario.empty:
        sweep()
    scenario.again()
    if scenario.empty:
        log_steps()
    return examine()


def _with_doubt(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome in which an e-mail is either sent once or, in words, perhaps sent."""
    mails = outcome["mails"]
    told = outcome["mail_events"]
    fair = (told == ["mail_sent"] and len(mails) == 1) or (
        told == ["mail_unknown"] and len(mails) <= 1
    )
    doubtful = [recipient for recipient, state in outcome["messages"] if state == "unknown"]
    if outcome["messages"]:  # each was held to its state already; one kill leaves one in doubt
        fair = len(doubtful) <= 1 and not told
    jobs = str(outcome["jobs"]).replace("notify failed", "notify succeeded")
    doubt = (mails, told, outcome["messages"])
    return {"jobs": jobs, "mails": "fair" if fair else doubt}


def count(scenario: Scenario, base: World, server: PostgreSQL | None) -> Counted:
    """Let a scenario run without a kill and note its actions and its end."""
    world = World.empty(server) if scenario.empty else base.copy()
    try:
        world.do(scenario.prepare)
        trial = world.copy()
        try:
            said = trial.fork(scenario.live, armed=True).labels
            undisturbed = trial.do(lambda: _after(scenario))
        finally:
            trial.end()
        wrong = [line for line in said if line.startswith(WRONG)]
        faults = "; ".join([*undisturbed.faults, *wrong])
        assert not faults, f"{scenario} without a kill: {faults}"
    except BaseException:
        world.end()
        raise
    labels = [label for label in said if label not in wrong]
    if scenario.role == "child":  # it lives from its first message to its last
        labels = [label for label in labels if label.endswith(" hear")]
    return Counted(scenario, world, points_of(labels), undisturbed)


class Counts:
    """The counted scenarios of one kind of database, each made when it is first asked for."""

    def __init__(self, server: PostgreSQL | None = None) -> None:
        self.server = server
        self._base: World | None = None
        self._counted: dict[Scenario, Counted] = {}

    def of(self, scenario: Scenario) -> Counted:
        if self._base is None:
            self._base = World.migrated(self.server)
        if scenario not in self._counted:
            self._counted[scenario] = count(scenario, self._base, self.server)
        return self._counted[scenario]

    @property
    def usual(self) -> list[Scenario]:
        """Return the scenarios that are worth their time on this kind of database."""
        return [each for each in SCENARIOS if self.server is None or not each.alike]

    def lives(self) -> dict[str, set[str]]:
        """Return every label that is met, with the lives that meet it."""
        met: dict[str, set[str]] = defaultdict(set)
        for each in self.usual:
            for point in self.of(each).points:
                met[point.label].add(str(each))
        return met

    def end(self) -> None:
        for world in [self._base, *(counted.world for counted in self._counted.values())]:
            if world is not None:
                world.end()


Chosen = tuple[Scenario, Point]


def all_points(counted: Counted, kinds: Sequence[str] = ()) -> list[Point]:
    """Return a scenario's points of these kinds (or all), often repeated ones thinned out."""
    by_label: dict[str, list[Point]] = defaultdict(list)
    for point in counted.points:
        if not kinds or point.kind in kinds:
            by_label[point.label].append(point)
    thin = [group[:: -(-len(group) // REPEATS)] for group in by_label.values()]
    return [point for group in thin for point in group]


def choose(counts: Counts, seed: int, kinds: Sequence[str] = ()) -> list[Chosen]:
    """Return all points in an order by chance, first one for each role and label.

    A point's chance depends on the seed and itself alone, for runs differ a little in length.
    """
    every = [(each, point) for each in counts.usual for point in all_points(counts.of(each), kinds)]
    every.sort(key=lambda chosen: random.Random(f"{seed} {chosen[0]} {chosen[1]}").random())
    seen: set[tuple[str, str]] = set()
    first: list[Chosen] = []
    rest: list[Chosen] = []
    for scenario, point in every:
        place = (scenario.role, point.label)
        (rest if place in seen else first).append((scenario, point))
        seen.add(place)
    return [*first, *rest]


def needed(chosen: Iterable[Chosen]) -> int:
    """Return how many points it takes to meet each role and label once."""
    return len({(scenario.role, point.label) for scenario, point in chosen})


def kill_some(counts: Counts, chosen: Sequence[Chosen], seconds: float) -> tuple[int, list[str]]:
    """Kill at one point for each role and label, then at others while there is time.

    Returns how many were killed and every fault.
    """
    until, least = time.monotonic() + seconds, needed(chosen)
    killed, faults = 0, []
    for number, (scenario, point) in enumerate(chosen):
        if number >= least and time.monotonic() > until:
            break
        found = counts.of(scenario).kill_at(point)
        killed += found is not None
        faults += found or []
    return killed, faults


__all__ = ["DATABASE_KINDS", "SCENARIOS", "Counts", "all_points", "choose", "kill_some"]
