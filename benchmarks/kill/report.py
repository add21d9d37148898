"""The table of a kill benchmark, as Markdown that can be pasted into a page."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.kill.schedule import KINDS, Figures

BEGIN, END = "<!-- benchmarks.kill -->", "<!-- end -->"

Row = tuple[str, Callable[[Figures], str]]

ROWS: tuple[Row, ...] = (
    ("kills (SIGKILL)", lambda f: str(f.kills)),
    ("tasks accepted", lambda f: str(f.tasks)),
    ("**lost**", lambda f: f"**{f.lost}**"),
    ("**doubled**", lambda f: f"**{f.doubled}**"),
    ("**stood still until a person came**", lambda f: f"**{f.standstills} ×**"),
    ("rework: starts beyond the first", lambda f: str(f.rework)),
    ("kill → next step, p50", lambda f: _seconds(f.waits, 0.5)),
    ("kill → next step, p95", lambda f: _seconds(f.waits, 0.95)),
    *(
        (f"… {kind}, p50 / p95", lambda f, kind=kind: _both(f.waits_by_kind.get(kind, [])))  # type: ignore[misc]
        for kind in KINDS
    ),
    ("submit → start at rest, p50 / worst of 15", lambda f: _pair(f.latency_p50, f.latency_p99)),
    ("tasks that do nothing, a second", lambda f: f"{f.throughput:.0f}"),
    ("its web page, p99 at rest / busy", lambda f: _pair(f.ping_quiet_p99, f.ping_busy_p99)),
)


def table(figures: Sequence[Figures]) -> str:
    """Return one column an engine, one line a figure."""
    lines = [
        "| | " + " | ".join(f.engine for f in figures) + " |",
        "|---" * (len(figures) + 1) + "|",
    ]
    lines += [f"| {title} | " + " | ".join(cell(f) for f in figures) + " |" for title, cell in ROWS]
    return "\n".join(lines)


def put_into(page: Path, text: str) -> None:
    """Put the table between a page's two marks; raises `ValueError` when they are not there."""
    head, rest = page.read_text().split(BEGIN, 1)
    _, tail = rest.split(END, 1)
    page.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")


def _at(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _seconds(values: Sequence[float], share: float) -> str:
    if not values:
        return "–"
    value = _at(values, share)
    return "never" if math.isinf(value) else f"{value:.2f} s"


def _both(values: Sequence[float]) -> str:
    return f"{_seconds(values, 0.5)} / {_seconds(values, 0.95)}"


def _pair(first: float, second: float) -> str:
    return f"{first:.0f} / {second:.0f} ms" if second else "–"
