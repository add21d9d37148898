"""Guesses in words, the same on page, socket and API; knows no rows."""

MINUTE = 60
HOUR = 3600


def time_range(low: float, high: float) -> str:
    """Return an honest guess, such as `5 to 8 minutes`; rounded so that it stands still."""
    if high < 10:
        return "a few seconds"
    if high < MINUTE:
        return f"less than {10 * -(-round(high) // 10)} seconds"
    if high < 100 * MINUTE:
        return _between(low / MINUTE, high / MINUTE, "minute")
    return _between(low / HOUR, high / HOUR, "hour")


def _between(low: float, high: float, unit: str) -> str:
    first, last = max(1, round(low)), max(1, round(high))
    if first == last:
        return f"about {first} {unit}{'' if first == 1 else 's'}"
    return f"{first} to {last} {unit}s"
