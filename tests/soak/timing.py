"""How soon work went on after each blow, from the log alone."""

import math
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


def undisturbed(
    strikes: Sequence[Strike], timing: Timing, chosen: Sequence[Strike], share: float
) -> float | None:
    """Return the wait that a share of blows would not exceed if no later blow came in between.

    Kaplan and Meier's estimate: a blow whose lanes were hit again before their next step tells
    only that it would have taken longer. None where too few lasted long enough to say.
    """
    waits = []
    for strike in chosen:
        wait = timing.next_step(strike)
        hit = _hit_again(strikes, strike)
        if wait is not None and wait <= hit:
            waits.append((wait, True))
        elif math.isfinite(hit):
            waits.append((hit, False))
    left, surviving = len(waits), 1.0
    for wait, seen in sorted(waits):
        surviving *= 1 - seen / left
        left -= 1
        if surviving <= 1 - share + 1e-9:
            return wait
    return None


def _hit_again(strikes: Sequence[Strike], strike: Strike) -> float:
    """Return the seconds until the next blow to one of its lanes, infinite if there is none."""
    later = (
        other.at - strike.at
        for other in strikes
        if other.at > strike.at and set(other.lanes) & set(strike.lanes)
    )
    return min(later, default=math.inf)


def table(strikes: Sequence[Strike], timing: Timing) -> str:
    """Return a line for each kind of blow: how many, and the waits at p50, p95 and worst.

    Behind them p95 without what later blows did.
    """
    kinds: dict[str, list[Strike]] = defaultdict(list)
    for strike in strikes:
        for kind in (strike.kind, f"all {strike.signal.name}", "all"):
            kinds[kind].append(strike)
    head = "next step: p50   p95 worst   undisturbed p95   the step again: p50   p95"
    lines = [f"{'seconds until':<34}   n   {head}"]
    for kind in sorted(kinds):
        waits = [w for s in kinds[kind] if (w := timing.next_step(s)) is not None]
        again = [seconds for strike in kinds[kind] for seconds in timing.again(strike)]
        if not waits:
            continue
        alone = undisturbed(strikes, timing, kinds[kind], 0.95)
        row = f"{kind:<34} {len(waits):>3}            "
        row += " ".join(f"{percentile(waits, s):5.2f}" for s in (0.5, 0.95, 1.0))
        row += f"   {'     –' if alone is None else f'{alone:6.2f}'}         "
        if again:
            row += " " * 14 + " ".join(f"{percentile(again, s):5.2f}" for s in (0.5, 0.95))
        lines.append(row)
    return "\n".join(lines)
