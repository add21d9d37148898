"""Charts of small answers, drawn as they are written: bars of names, lines over time; no script.

Only where a picture says something: all rows are there, and a column of numbers stands
beside one that tells what they are of. Numbers of several columns get a chart each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

Column = tuple[str, str]
Row = Sequence[str | None]

MOST_COLUMNS, MOST_CHARTS = 8, 4
MOST_BARS, LABEL_LETTERS = 40, 40
FEWEST = 2
TICKS = 4
WIDE, HIGH = 1000, 240

STYLE = """
.charts { display: grid; gap: 1rem; margin-bottom: 1.25rem; }
.chart { padding: 1rem 1.1rem; border: 1px solid var(--line); border-radius: 14px; background: var(--panel); }
.chart figcaption { font-weight: 620; margin-bottom: .6rem; } .chart figcaption span { font-weight: 400; color: var(--dim); }
.chart svg { display: block; width: 100%; overflow: visible; }
.bars { display: grid; grid-template-columns: minmax(4rem, max-content) 1fr max-content; gap: .28rem .7rem; align-items: center; font-size: .9rem; }
.bars span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 16rem; } .bars b { font-weight: 500; text-align: right; }
.bars svg { height: 1.05rem; } .bars rect, .line circle { fill: var(--accent); }
.line { position: relative; margin: .4rem 0 .3rem 3.6rem; } .line svg { height: 13rem; }
.line path { fill: none; stroke: var(--accent); stroke-width: 2.2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.line .area { fill: var(--accent); opacity: .12; stroke: none; } .line line { stroke: var(--line); vector-effect: non-scaling-stroke; }
.line i { position: absolute; right: calc(100% + .5rem); translate: 0 50%; font: normal .78rem system-ui, sans-serif; color: var(--dim); white-space: nowrap; }
.ends { display: flex; justify-content: space-between; gap: 1rem; margin-left: 3.6rem; font-size: .8rem; color: var(--dim); }
@media (max-width: 34rem) { .bars span { max-width: 7.5rem; } .line, .ends { margin-left: 2.8rem; } .line svg { height: 9rem; } }
"""


@dataclass(frozen=True)
class _Series:
    """The values of one column, those that are none left out, by what they are of."""

    name: str
    along: str
    labels: list[str]
    places: list[float] | None
    values: list[float]
    texts: list[str]


def charts(columns: Sequence[Column], rows: Sequence[Row], numbers: Sequence[bool]) -> str:
    """Return the markup of an answer's charts, nothing where none would say anything.

    `rows` are all rows as texts, `numbers` tells which columns are numbers.
    """
    if not FEWEST <= len(columns) <= MOST_COLUMNS or len(rows) < FEWEST:
        return ""
    drawn: list[str] = []
    for at in range(1, len(columns)):
        series = _series(columns, rows, at) if numbers[at] else None
        if series is not None and len(drawn) < MOST_CHARTS:
            drawn.append(_line(series) if series.places else _bars(series))
    return f'<div class="charts">{"".join(drawn)}</div>' if drawn else ""


def _series(columns: Sequence[Column], rows: Sequence[Row], at: int) -> _Series | None:
    labels, places, values, texts = [], [], [], []
    for row in rows:
        value = _number(row[at])
        if value is None:
            continue
        labels.append("none" if row[0] is None else row[0])
        places.append(_place(row[0], columns[0][1]))
        values.append(value)
        texts.append(str(row[at]))
    if len(values) < FEWEST:
        return None
    known = [place for place in places if place is not None]
    ordered = len(known) == len(places) and all(a < b for a, b in pairwise(known))
    if not ordered and len(values) > MOST_BARS * 5:
        return None  # a picture of some of many names says little
    return _Series(columns[at][0], columns[0][0], labels, known if ordered else None, values, texts)


def _number(text: str | None) -> float | None:
    try:
        found = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _place(text: str | None, kind: str) -> float | None:
    """Return where a day, a moment or a number lies on a line, None for anything else."""
    if text is None:
        return None
    if kind.startswith(("DATE", "TIMESTAMP")):
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    return None if kind.startswith(("VARCHAR", "BOOL", "ENUM", "UUID")) else _number(text)


def _bars(series: _Series) -> str:
    shown = range(min(MOST_BARS, len(series.values)))
    low, high = min(0.0, *series.values), max(0.0, *series.values)
    span = (high - low) or 1.0
    lines = []
    for number in shown:
        value, label = series.values[number], series.labels[number]
        left, right = (min(0.0, value) - low) / span, (max(0.0, value) - low) / span
        lines.append(
            f'<span title="{escape(label)}">{escape(label[:LABEL_LETTERS])}</span>'
            f'<svg viewBox="0 0 {WIDE} 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect x="{left * WIDE:.1f}" width="{max(1.0, (right - left) * WIDE):.1f}" height="10" rx="1"/></svg>'
            f"<b>{escape(series.texts[number])}</b>"
        )
    more = len(series.values) - len(shown)
    note = f" · the first {len(shown)} of {len(series.values)}" if more else ""
    return _figure(series, note, f'<div class="bars">{"".join(lines)}</div>')


def _line(series: _Series) -> str:
    assert series.places is not None
    ticks = _ticks(min(series.values), max(series.values))
    low, high = ticks[0], ticks[-1]
    begin, length = series.places[0], series.places[-1] - series.places[0]
    points = [
        ((place - begin) / length * WIDE, HIGH - (value - low) / (high - low) * HIGH)
        for place, value in zip(series.places, series.values, strict=True)
    ]
    path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    rules = "".join(
        f'<line x1="0" x2="{WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for y in (HIGH - (tick - low) / (high - low) * HIGH for tick in ticks)
    )
    scale = "".join(
        f'<i style="bottom:{(tick - low) / (high - low) * 100:.2f}%">{_short(tick)}</i>'
        for tick in ticks
    )
    drawing = (
        f'<div class="line"><svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(_told(series))}">{rules}<path class="area" d="{path} L{WIDE} {HIGH} L0 {HIGH} Z"/>'
        f'<path d="{path}"/></svg>{scale}</div>'
        f'<div class="ends"><span>{escape(series.labels[0])}</span><span>{escape(series.labels[-1])}</span></div>'
    )
    return _figure(series, "", drawing)


def _figure(series: _Series, note: str, drawing: str) -> str:
    along = f"<span>by {escape(series.along)}{note}</span>"
    return f'<figure class="chart"><figcaption>{escape(series.name)} {along}</figcaption>{drawing}</figure>'


def _told(series: _Series) -> str:
    """Return a line in words, for those who don't see it."""
    lowest = series.values.index(min(series.values))
    highest = series.values.index(max(series.values))
    return (
        f"{series.name} by {series.along}, from {series.texts[0]} at {series.labels[0]} "
        f"to {series.texts[-1]} at {series.labels[-1]}; lowest {series.texts[lowest]} at "
        f"{series.labels[lowest]}, highest {series.texts[highest]} at {series.labels[highest]}"
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers around the values, about as many as fit; zero where it is near."""
    if low > 0 and low < high / 2:
        low = 0.0
    if high < 0 and high > low / 2:
        high = 0.0
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    rough = (high - low) / TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]


def _short(value: float) -> str:
    """Return a number of a scale: 2.5M, 300k, 0.05."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"
