"""Lets a piece of an item's work report its own 0…1 as a span of the whole; knows no work."""

from dataclasses import dataclass, replace

from uploads.operations.context import Context, Json, O, Reporter


@dataclass(frozen=True)
class _Span:
    reporter: Reporter
    low: float
    high: float

    def progress(self, fraction: float, note: str) -> None:
        self.reporter.progress(self.low + (self.high - self.low) * fraction, note)

    def log(self, text: str, level: str) -> None:
        self.reporter.log(text, level)

    def checkpoint(self, state: Json) -> None:
        self.reporter.checkpoint(state)


def within(step: Context[O], low: float, high: float) -> Context[O]:
    """Return a context whose progress 0…1 is told as `low`…`high` of this one's."""
    return replace(step, reporter=_Span(step.reporter, low, high))
