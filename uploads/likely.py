"""The range around the time left: as wide as the play was wrong about recorded jobs like this one.

`python -m benchmarks eta` measures both, how often the range held the truth and how wide it was.
"""

import math
from dataclasses import dataclass

from uploads.forecast import Load

# A smaller share of a step says nothing about how steps differ, and of the first one nothing at all.
TELLING, FIRST_NEWS = 0.2, 0.1
# A range whose ends differ by more than this factor helps nobody.
WIDEST = 5.0


@dataclass(frozen=True)
class Calibration:
    """How wrong the play is about recorded jobs; `python -m benchmarks eta --calibrate` finds it.

    The ones here were fitted to recorded encodes, batches of pictures and questions to tables.
    `floor` is the error that no evidence takes away; `bend` is added for a job whose work is all
    in running steps, because progress is not quite linear; `usual` is how much steps differ before
    their job shows it, which counts as `trust` steps. 80 % of the errors, measured in the
    deviation that these give, lie between `low` and `high`.
    """

    floor: float
    bend: float
    usual: float
    trust: float
    low: float
    high: float


CALIBRATED = Calibration(floor=0.2, bend=0.1, usual=0.5, trust=1.0, low=-0.724, high=0.841)


def spread(load: Load, by: Calibration = CALIBRATED) -> float:
    """Return how much a job's pace differs from step to step, as a share of it."""
    told = [step for step in load.works if step.progress > TELLING and step.done > 0]
    weight = load.ended_weight + sum(step.done for step in told)
    if weight <= 0:
        return by.usual
    seconds = load.ended_seconds + sum(step.told_seconds for step in told)
    squares = load.ended_squares + sum(step.told_seconds**2 / step.done for step in told)
    count = load.ended + sum(step.progress for step in told)
    mean = seconds / weight
    varied = max(0.0, squares / weight / mean**2 - 1) if mean > 1e-9 else 0.0
    return math.sqrt((by.usual**2 * by.trust + varied * count) / (by.trust + max(0.0, count - 1)))


def error(load: Load, by: Calibration = CALIBRATED) -> float:
    """Return how far the play may be off, as a deviation of the logarithm.

    The pace of the steps ahead is a mean of few, guessed from a mean of few.
    """
    few = 1 / max(1.0, load.evidence) + 1 / max(1.0, load.ahead)
    varied = spread(load, by) ** 2 * few
    return math.sqrt(by.floor**2 + (by.bend * load.at_work) ** 2 + varied)


def time_range(
    load: Load, seconds: float, by: Calibration = CALIBRATED
) -> tuple[float, float] | None:
    """Return the range that holds the time left four times in five; None while it is a guess.

    `seconds` is what the play says.
    """
    if load.evidence < FIRST_NEWS:
        return None
    off = error(load, by)
    low, high = by.low * off, by.high * off
    if high - low > math.log(WIDEST):
        return None
    return max(0.0, seconds) * math.exp(low), max(0.0, seconds) * math.exp(high)
