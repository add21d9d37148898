"""How soon work went on after each blow, from the log alone."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from tests.soak.effects import Effect
from tests.soak.strikes import Strike


class Timing:
    """The starts of every lane and step in order, and the seconds from a blow to the next."""

    def __init__(self, effects: Sequence[Effect]) -> None:
        self._lanes: dict[str, list[float]] = defaultdict(list)
        self._steps: dict[int, list[Effect]] = defaultdict(list)
        for effect in effects:
            if effect.step is None or not effect.lane:
                continue
            self._steps[effect.step].append(effect)
            if effect.what == "running":
                self._lanes[effect.lane].append(effect.at)
        for starts in self._lanes.values():
            starts.sort()

    def next_step(self, strike: Strike) -> float | None:
        """Return the seconds until every lane concerned had started a step; None: never again."""
        waits = []
        for lane in strike.lanes:
            starts = self._lanes[lane]
            place = bisect_right(starts, strike.at)
            if place == len(starts):
                return None
            waits.append(starts[place] - strike.at)
        return max(waits)

    def again(self, strike: Strike) -> list[float]:
        """Return, for each step that a victim was running, the seconds until its next start."""
        found = []
        for log in self._steps.values():
            before = [effect for effect in log if effect.at <= strike.at]
            after = [e for e in log if e.at > strike.at and e.what == "running"]
            if not before or before[-1].what != "running" or not after:
                continue
            if int(before[-1].owner.rsplit(":", 2)[1]) in strike.pids:
                found.append(after[0].at - strike.at)
        return found

    @property
    def rework(self) -> int:
        """Return the starts beyond the first of all steps."""
        runs = (sum(effect.what == "running" for effect in log) for log in self._steps.values())
        return sum(max(0, count - 1) for count in runs)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * share * 100) // 100) - 1))]


def table(strikes: Sequence[Strike], timing: Timing) -> str:
    """Return a line for each kind of blow: how many, and the waits at p50, p95 and worst."""
    waits: dict[str, list[float]] = defaultdict(list)
    again: dict[str, list[float]] = defaultdict(list)
    for strike in strikes:
        for kind in (strike.kind, f"all {strike.signal.name}", "all"):
            again[kind] += timing.again(strike)
            if (wait := timing.next_step(strike)) is not None:
                waits[kind].append(wait)
    lines = [f"{'seconds until':<34}   n   next step: p50   p95 worst   the step again: p50   p95"]
    for kind in sorted(waits):
        row = f"{kind:<34} {len(waits[kind]):>3}            "
        row += " ".join(f"{percentile(waits[kind], s):5.2f}" for s in (0.5, 0.95, 1.0))
        if again[kind]:
            row += "                 " + " ".join(
                f"{percentile(again[kind], s):5.2f}" for s in (0.5, 0.95)
            )
        lines.append(row)
    return "\n".join(lines)
