"""How jobs are called that nobody gave a name, and what they work on together."""

from collections.abc import Sequence
from pathlib import PurePath

from uploads.models import Upload

SAMPLE_MARK = "Sample: "
NAME_CHARACTERS = 255


def job_name(
    given: str, labels: Sequence[str], sources: Sequence[Upload], about: str, *, sample: bool
) -> str:
    """Return a job's name: as given, else its operations and its files, or what it is about."""
    mark = SAMPLE_MARK if sample else ""
    if given := given.strip():
        return f"{mark}{given}"[:NAME_CHARACTERS]
    more = _more(sources)
    of = sources[0].name if sources else about
    name = mark + chain_label(labels) + (f": {of}" if of != labels[0] else "")
    return name[: NAME_CHARACTERS - len(more)] + more


def chain_label(labels: Sequence[str]) -> str:
    """Return how operations that follow each other are called together."""
    return " → ".join(labels)


def together_name(sources: Sequence[Upload]) -> str:
    """Return what an operation that takes all files works on: its results are called so."""
    more = _more(sources)
    return (PurePath(sources[0].name).stem or sources[0].name)[: NAME_CHARACTERS - len(more)] + more


def _more(sources: Sequence[Upload]) -> str:
    return f" and {len(sources) - 1} more" if len(sources) > 1 else ""
