"""What the catalogue says of one error."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One catalogue entry: HTTP status, sentence and fix; `{name}` fields are filled in."""

    status: int
    sentence: str
    fix: str
