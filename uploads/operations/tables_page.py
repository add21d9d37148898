"""Pages of tables: rows as HTML that needs nothing else; no script, no address.

Every text is escaped. The pages of a table are one file: the first one, then each further one
packed by gzip, so that a web process sends any of them as it lies there, in a sandbox of its
own (see `pages/serve.py`).
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from uploads.operations.base import Json
from uploads.operations.charting import STYLE as CHARTS
from uploads.operations.charting import charts
from uploads.operations.duck import Duck, name
from uploads.operations.tables_given import Table

MOST_ROWS = 1000
MOST_COLUMNS = 200
MOST_CELLS = 60_000
# Of all further pages: writing them takes about a second and a half.
FURTHER_CELLS = 1_000_000
CELL_LETTERS, PAGE_LETTERS = 300, 4_000_000
GLANCE_ROWS, GLANCE_COLUMNS, GLANCE_LETTERS = 6, 4, 22
WHOLE_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NUMBERS = (*WHOLE_NUMBERS, *(f"U{kind}" for kind in WHOLE_NUMBERS), "FLOAT", "DOUBLE", "DECIMAL")

STYLE = """
:root { color-scheme: light dark;
  --bg: light-dark(oklch(98.3% .005 232), oklch(16.8% .016 245)); --panel: light-dark(#fff, oklch(21.2% .018 245));
  --sunk: light-dark(oklch(95.9% .007 232), oklch(14.2% .014 245)); --line: light-dark(oklch(90.8% .01 232), oklch(30% .018 245));
  --ink: light-dark(oklch(24% .025 250), oklch(95% .007 240)); --dim: light-dark(oklch(47% .022 250), oklch(74% .018 240));
  --accent: light-dark(oklch(47% .13 240), oklch(78% .12 230)); --soft: light-dark(oklch(88% .055 235), oklch(38% .075 240));
  --warn: light-dark(oklch(47% .105 70), oklch(82% .13 85)); --warn-soft: light-dark(oklch(95.5% .04 85), oklch(29% .045 80)); }
* { box-sizing: border-box; margin: 0; }
html { background: var(--bg); -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { padding: clamp(1rem, 3vw, 2.25rem); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Ubuntu, sans-serif;
  color: var(--ink); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { font-size: clamp(1.35rem, 1.1rem + 1.4vw, 2rem); line-height: 1.2; font-weight: 680; letter-spacing: -.02em; }
h2 { font-size: 1.15rem; font-weight: 640; letter-spacing: -.008em; }
.dim { color: var(--dim); } .small { font-size: .88rem; }
.mono, pre, code { font-family: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .88rem; }
pre { white-space: pre-wrap; padding: .75rem 1rem; border-radius: 11px; background: var(--sunk); }
header { margin-bottom: 1.25rem; } header p { margin-top: .35rem; } header pre { margin-top: .75rem; }
.wrap { overflow: auto; max-height: 85vh; border: 1px solid var(--line); border-radius: 14px; background: var(--panel); }
.wrap:focus-visible { outline: 2.5px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .92rem; }
.rows { min-width: 100%; overflow-wrap: normal; }
.rows th, .rows td { padding: .38rem .8rem; text-align: left; vertical-align: top; white-space: nowrap; max-width: 26rem; overflow: hidden; text-overflow: ellipsis; }
.rows thead th { position: sticky; top: 0; z-index: 1; background: var(--panel); font-weight: 620; box-shadow: inset 0 -1px var(--line); }
.rows thead small { display: block; font-weight: 400; color: var(--dim); font-size: .78rem; }
.rows tbody tr + tr > * { border-top: 1px solid var(--line); }
.rows tbody tr:hover > * { background: var(--sunk); }
.rows .place { position: sticky; left: 0; width: 1%; background: var(--panel); color: var(--dim); font-weight: 400; text-align: right; font-size: .8rem; }
.rows thead .place { z-index: 2; }
.rows .number { text-align: right; } .none { color: var(--dim); opacity: .55; font-size: .85em; }
@media (max-width: 34rem) { .rows th, .rows td { padding: .34rem .6rem; max-width: 15rem; } .rows .place { position: static; } }
"""


@dataclass(frozen=True)
class Page:
    """Written pages, what of them fits on a tile, and at which bytes of the file each one ends."""

    path: Path
    glance: Json
    ends: Sequence[int] = ()
    each: int = 0
    rows: int = 0

    @property
    def meta(self) -> Json:
        """Return what those who send the pages have to know; `rows` are those on all pages."""
        if len(self.ends) < 2:
            return {"page": True}
        return {"page": True, "pages": list(self.ends), "each": self.each, "rows": self.rows}


@dataclass(frozen=True)
class Leaf:
    """What all pages of one table have in common."""

    table: Table
    called: str
    shown: Sequence[tuple[str, str]]

    def html(self, rows: Sequence[Any], start: int, asked: str = "", drawn: str = "") -> str:
        """Return the page of these rows, the first of which has this number; the rest is markup."""
        facts = f"{counted(self.table.rows, 'row')} · {counted(len(self.table.columns), 'column')}"
        if len(rows) < self.table.rows:
            facts += f" · rows {start:,} to {start + len(rows) - 1:,}"
        if len(self.shown) < len(self.table.columns):
            facts += f" · {len(self.shown)} of the columns"
        head = f'<header><h1>{escape(self.called)}</h1><p class="dim">{facts}</p>{asked}</header>'
        return page(
            self.called, head + drawn + _grid(self.shown, rows, start), CHARTS if drawn else ""
        )


def page(title: str, body: str, style: str = "") -> str:
    """Return a whole HTML page; `title` is a text, `body` is markup."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its word: “1 row”, “2,000 rows”."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def is_number(kind: str) -> bool:
    return kind.startswith(NUMBERS) and not kind.endswith("]")


def words(kind: str) -> str:
    """Return a column's type as people say it."""
    if kind.endswith("]"):
        return "list"
    for start, said in (
        ("BOOL", "yes or no"), ("DECIMAL", "number"), ("DOUBLE", "number"), ("FLOAT", "number"),
        ("VARCHAR", "text"), ("DATE", "day"), ("TIMESTAMP", "date and time"), ("TIME", "time"),
        ("STRUCT", "object"), ("MAP", "object"), ("JSON", "JSON"), ("BLOB", "bytes"), ("ENUM", "text"),
        ("INTERVAL", "duration"), ("UUID", "UUID"),
    ):  # fmt: skip
        if kind.startswith(start):
            return said
    return "whole number" if is_number(kind) else kind.lower()


def rows_page(
    table: Table, label: str, duck: Duck, called: str, sql: str = "", *, paged: bool = True
) -> Page:
    """Write pages of a table's rows; fewer a page of a wide one, so that browsers show it.

    Further ones up to `paged_rows`. Their file's name begins with `label`; `called` is what
    people call the table.
    """
    shown = table.columns[:MOST_COLUMNS]
    each = max(20, min(MOST_ROWS, MOST_CELLS // max(1, len(shown))))
    letters = max(40, min(CELL_LETTERS, PAGE_LETTERS // (each * max(1, len(shown)))))
    chosen = ", ".join(
        f"left({_shown(column, kind)}, {letters}) AS {name(column)}" for column, kind in shown
    )
    asking = f"SELECT {chosen} FROM {table.source}"
    rows = duck.rows(f"{asking} LIMIT {each}")
    leaf = Leaf(table, called, shown)
    asked = f"<pre>{escape(sql.strip())}</pre>" if sql else ""
    # Of an answer, not of a table that somebody has sent: that has a profile.
    whole = bool(sql) and len(rows) == table.rows and len(shown) == len(table.columns)
    drawn = charts(shown, rows, [is_number(kind) for _, kind in shown]) if whole else ""
    path = duck.step.path(f"{label}-rows.html")
    first = leaf.html(rows, 1, asked, drawn).encode()
    most = min(duck.step.limits.paged_rows, FURTHER_CELLS // max(1, len(shown)))
    count, ends = len(rows), [len(first)]
    with path.open("wb") as file:
        file.write(first)
        if paged and len(rows) < min(table.rows, most):
            for further in _further(f"{asking} LIMIT {most - each} OFFSET {each}", each, duck):
                packed = gzip.compress(leaf.html(further, count + 1).encode(), 5, mtime=0)
                ends.append(ends[-1] + file.write(packed))
                count += len(further)
                duck.report(0.0, "writing pages")
    return Page(path, _glance(shown, rows), ends, each, count)


def _further(asking: str, each: int, duck: Duck) -> Iterator[list[Any]]:
    """Yield the rows of an answer, so many at a time."""
    waiting: list[Any] = []
    for batch in duck.batches(asking):
        waiting += batch
        while len(waiting) >= each:
            yield waiting[:each]
            del waiting[:each]
    if waiting:
        yield waiting


def _shown(column: str, kind: str) -> str:
    """Return a column for SQL as text; 0.30000000000000004 is 0.3 to everybody."""
    if kind in {"DOUBLE", "FLOAT"}:
        return f"format('{{:.{15 if kind == 'DOUBLE' else 7}g}}', {name(column)})"
    return f"{name(column)}::VARCHAR"


def _grid(columns: Any, rows: Any, start: int) -> str:
    numeric = [' class="number"' if is_number(kind) else "" for _, kind in columns]
    heads = "".join(
        f'<th scope="col"{cls}>{escape(column)}<small>{words(kind)}</small></th>'
        for (column, kind), cls in zip(columns, numeric, strict=True)
    )
    lines = []
    for place, row in enumerate(rows, start):
        cells = "".join(_cell(value, cls) for value, cls in zip(row, numeric, strict=True))
        lines.append(f'<tr><th class="place" scope="row">{place:,}</th>{cells}</tr>')
    empty = "" if rows else '<p class="dim" style="padding:1rem">No row is in it.</p>'
    return (
        '<div class="wrap" tabindex="0"><table class="rows"><thead><tr>'
        f'<th class="place"></th>{heads}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + f"\n</tbody></table>{empty}</div>"
    )


def _cell(value: str | None, cls: str) -> str:
    if value is None:
        return f'<td{cls}><span class="none">none</span></td>'
    tip = f' title="{escape(value)}"' if len(value) > 40 else ""
    return f"<td{cls}{tip}>{escape(value)}</td>"


def _glance(columns: Any, rows: Any) -> Json:
    """Return the corner of the table that fits on a tile."""
    cut = [[_short(value) for value in row[:GLANCE_COLUMNS]] for row in rows[:GLANCE_ROWS]]
    return {
        "columns": [_short(column) for column, _ in columns[:GLANCE_COLUMNS]],
        "numeric": [is_number(kind) for _, kind in columns[:GLANCE_COLUMNS]],
        "rows": cut,
    }


def _short(value: str | None) -> str:
    shown = " ".join((value or "").split())
    return shown if len(shown) <= GLANCE_LETTERS else shown[: GLANCE_LETTERS - 1] + "…"
