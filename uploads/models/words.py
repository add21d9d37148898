"""Guesses in words, the same on page, socket and API; knows no rows."""

import math

MINUTE = 60
HOUR = 3600
DAY = 86400


def whole_seconds(low: float, high: float) -> tuple[int, int]:
    """Return the range in whole seconds, outwards; it never ends below one second."""
    return max(0, math.floor(low)), max(1, math.ceil(high))


def time_range(low: float, high: float) -> str:
    """Return an honest guess, such as `5 to 8 minutes`; rounded so that it stands still."""
    if high < 10:
        return "a few seconds"
    if high < 1.5 * MINUTE:
        return _between(low, high, "second", 10 if high > 30 else 5)
    if high < 100 * MINUTE:
        return _between(low / MINUTE, high / MINUTE, "minute")
    if high < 2 * DAY:
        return _between(low / HOUR, high / HOUR, "hour")
    return _between(low / DAY, high / DAY, "day")


def _between(low: float, high: float, unit: str, step: int = 1) -> str:
    """Round both ends to multiples of `step`; an end that rounds to nothing says `less than`."""
    first, last = round(low / step) * step, max(1, math.ceil(high / step - 0.5)) * step
    if first >= last:
        return f"about {last} {unit}{'' if last == 1 else 's'}"
    if first == 0:
        return (
            f"less than {'a' if unit != 'hour' else 'an'} {unit}"
            if last == 1
            else f"less than {last} {unit}s"
        )
    return f"{first} to {last} {unit}s"
