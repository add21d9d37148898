"""The profile of a file as one page with drawings and as JSON; draws, counts nothing."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.operations.base import Context, Json, Output
from uploads.operations.duck import duck, within
from uploads.operations.profiling import Column, figure, look_into
from uploads.operations.suspicions import odd_things
from uploads.operations.tables import read, rejects, told_of
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_page import GLANCE_ROWS, counted, page, words
from uploads.sizes import size_in_words

if TYPE_CHECKING:
    from uploads.operations.profile import Profile

MOST_CARDS = 300
ON_CARD = 7
WIDTH, HEIGHT = 240, 64

STYLE = """
main { max-width: 76rem; margin: 0 auto; }
.facts { display: flex; flex-wrap: wrap; gap: .6rem 2rem; margin: 1rem 0 1.5rem; padding: 0; list-style: none; }
.facts strong { display: block; font-size: 1.45rem; font-weight: 660; letter-spacing: -.02em; line-height: 1.2; }
.odd { margin-bottom: 1.75rem; padding: 1rem 1.25rem; border-radius: 14px; background: var(--warn-soft); }
.odd h2 { color: var(--warn); font-size: 1rem; } .odd ul { margin-top: .5rem; padding-left: 1.1rem; } .odd li + li { margin-top: .3rem; }
.table + .table { margin-top: 3rem; padding-top: 2rem; border-top: 1px solid var(--line); }
.index { display: flex; flex-wrap: wrap; gap: .4rem; margin-bottom: 1.25rem; }
.index a { padding: .2rem .65rem; border-radius: 99px; background: var(--sunk); color: var(--ink); font-size: .85rem; text-decoration: none; }
.index a:hover { background: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19.5rem), 1fr)); gap: 1rem; }
.card { display: flex; flex-direction: column; gap: .65rem; min-width: 0; padding: 1rem 1.15rem 1.1rem; border: 1px solid var(--line); border-radius: 14px; background: var(--panel); scroll-margin: 1rem; }
.card:target { outline: 2.5px solid var(--accent); }
.name { display: flex; align-items: baseline; justify-content: space-between; gap: .75rem; }
.name h3 { font-size: 1.04rem; font-weight: 640; } .name span { flex: none; color: var(--dim); font-size: .82rem; }
.fill { height: 5px; border-radius: 3px; background: var(--sunk); overflow: hidden; } .fill span { display: block; height: 100%; border-radius: 3px; background: var(--accent); }
.fill + p { display: flex; justify-content: space-between; gap: .75rem; margin-top: -.3rem; color: var(--dim); font-size: .82rem; }
figure svg { display: block; width: 100%; height: 4.6rem; } figure rect { fill: var(--accent); opacity: .85; } figure rect:hover { opacity: 1; }
figcaption { display: flex; justify-content: space-between; gap: 1rem; padding-top: .25rem; border-top: 1px solid var(--line); color: var(--dim); font-size: .78rem; }
.often { display: grid; gap: 3px; padding: 0; list-style: none; font-size: .87rem; }
.often li { position: relative; display: flex; justify-content: space-between; gap: .75rem; padding: .18rem .5rem; border-radius: 6px; overflow: hidden; }
.often i { position: absolute; inset: 0 auto 0 0; background: var(--soft); opacity: .75; border-radius: 6px; } .often span { position: relative; min-width: 0; }
.often span:last-child { flex: none; color: var(--dim); }
dl { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem .9rem; margin-top: auto; padding-top: .15rem; }
dt { color: var(--dim); font-size: .76rem; } dd { margin: 0; font-size: .92rem; font-weight: 560; }
"""


@dataclass(frozen=True)
class Seen:
    """One table with what was found in it."""

    table: Table
    columns: list[Column]
    odd: list[str]


def make(source: Path, step: "Context[Profile]") -> Iterator[Output]:
    """Write `source-profile.html` and `source-profile.json`."""
    given = Given(source, step.name, step.media_type)
    with duck(step, [source]) as engine, told_of(given):
        # Read a few times and thrown away: what zstd saves of the disk is not worth its time.
        tables = read(given, engine, (0.0, 0.4), Reading(packing="snappy"))
        seen = []
        for number, table in enumerate(tables):
            span = within((0.4, 0.98), number / len(tables), (number + 1) / len(tables))
            columns = look_into(table, engine, step.options.values, within(span, 0, 0.9))
            odd = [*table.notes, *odd_things(table, columns, engine, keys=step.options.keys)]
            if table.rejected:
                odd.insert(0, f"{counted(table.rejected, 'row')} could not be read at all.")
            seen.append(Seen(table, columns, odd))
        yield from _outputs(seen, source.stat().st_size, step)
        yield from rejects(given, engine, tables)


def _outputs(seen: Sequence[Seen], size: int, step: "Context[Profile]") -> Iterator[Output]:
    path = step.path("source-profile.html")
    path.write_text(page(f"{step.name}: profile", _body(seen, size, step.name), STYLE), "utf-8")
    odd = sum(len(one.odd) for one in seen)
    rows = sum(one.table.rows for one in seen)
    meta: Json = {"page": True, "rows": rows, "odd": odd, "glance": _glance(seen[0])}
    yield Output(path, meta=meta)
    told = {"name": step.name, "size_bytes": size, "tables": [_plain(one) for one in seen]}
    report = step.path("source-profile.json")
    report.write_text(json.dumps(told, indent=2, ensure_ascii=False, default=str) + "\n", "utf-8")
    yield Output(report, role="report")


def _plain(one: Seen) -> Json:
    return {
        "name": one.table.name,
        "rows": one.table.rows,
        "rejected": one.table.rejected,
        "odd": one.odd,
        "columns": [column.plain(one.table.rows) for column in one.columns],
    }


def _glance(one: Seen) -> Json:
    rows = [
        [column.name[:18], words(column.type), _filled(column, one.table.rows)]
        for column in one.columns[:GLANCE_ROWS]
    ]
    return {"columns": ["Column", "Type", "Filled"], "numeric": [False, False, True], "rows": rows}


# --- the page ------------------------------------------------------------------------


def _body(seen: Sequence[Seen], size: int, called: str) -> str:
    tables = "".join(_table(one, number, len(seen), size) for number, one in enumerate(seen))
    return f"<main><header><h1>{escape(called)}</h1></header>{tables}</main>"


def _table(one: Seen, number: int, of: int, size: int) -> str:
    table = one.table
    cells = table.rows * len(table.columns)
    filled = sum(column.count for column in one.columns) / cells if cells else 1.0
    facts = [
        (f"{table.rows:,}", "row" if table.rows == 1 else "rows"),
        (f"{len(table.columns):,}", "column" if len(table.columns) == 1 else "columns"),
        (_percent(filled), "of the cells filled"),
    ]
    if of == 1:
        facts.append((size_in_words(size), "as a file"))
    listed = "".join(f"<li><strong>{value}</strong>{said}</li>" for value, said in facts)
    title = f"<h2>{escape(table.name)}</h2>" if table.name else ""
    shown = one.columns[:MOST_CARDS]
    more = len(one.columns) - len(shown)
    rest = f'<p class="dim">{counted(more, "column")} more: see the JSON.</p>' if more else ""
    cards = "".join(_card(column, table.rows, f"c{number}-{n}") for n, column in enumerate(shown))
    index = _index(shown, number) if len(shown) > 6 else ""
    return (
        f'<section class="table">{title}<ul class="facts">{listed}</ul>{_odd(one.odd)}{index}'
        f'<div class="cards">{cards}</div>{rest}</section>'
    )


def _odd(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines[:60])
    return f'<section class="odd"><h2>Worth a look</h2><ul>{listed}</ul></section>'


def _index(columns: Sequence[Column], number: int) -> str:
    links = "".join(
        f'<a href="#c{number}-{n}">{escape(column.name)}</a>' for n, column in enumerate(columns)
    )
    return f'<nav class="index" aria-label="Columns">{links}</nav>'


def _card(column: Column, rows: int, anchor: str) -> str:
    filled = column.count / rows if rows else 0.0
    different = "" if column.group == "other" else _different(column)
    return (
        f'<article class="card" id="{anchor}"><div class="name"><h3>{escape(column.name)}</h3>'
        f"<span>{words(column.type)}</span></div>"
        f'<div><div class="fill"><span style="width:{100 * filled:.1f}%"></span></div></div>'
        f'<p class="small dim">{_filled(column, rows)} filled{different}</p>'
        f"{_histogram(column)}{_often(column)}{_numbers(column)}</article>"
    )


def _different(column: Column) -> str:
    if column.distinct == column.count > 0:
        return " · all different"
    about = "" if column.exact else "about "
    return f" · {about}{counted(column.distinct, 'different value', 'different values')}"


def _histogram(column: Column) -> str:
    if not any(column.bars):
        return ""
    step, most = WIDTH / len(column.bars), max(column.bars)
    bars = []
    for place, count in enumerate(column.bars):
        height = max(1.5, HEIGHT * count / most) if count else 0
        bars.append(
            f'<rect x="{place * step + 0.75:.2f}" y="{HEIGHT - height:.2f}" '
            f'width="{step - 1.5:.2f}" height="{height:.2f}" rx="1">'
            f"<title>{counted(count, 'row')}</title></rect>"
        )
    low, high = (escape(shown) for shown in column.bounds)
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="How the values lie between {low} and {high}">{"".join(bars)}</svg>'
        f"<figcaption><span>{low}</span><span>{high}</span></figcaption></figure>"
    )


def _often(column: Column) -> str:
    if not column.values or column.bars:
        return ""
    most = column.values[0][1]
    if most == 1 and column.count > len(column.values):
        return ""
    listed = "".join(
        f'<li><i style="width:{100 * rows / most:.1f}%"></i>'
        f"<span>{_visible(value)}</span><span>{rows:,}</span></li>"
        for value, rows in column.values[:ON_CARD]
    )
    return f'<ul class="often">{listed}</ul>'


def _visible(value: str) -> str:
    """Return a value as markup; spaces around, which nobody would see, as signs."""
    inner = value.strip(" ")
    before, after = len(value) - len(value.lstrip(" ")), len(value) - len(value.rstrip(" "))
    if not inner:
        return "␣" * min(3, len(value)) or "<em>empty</em>"
    return f"{'␣' * min(3, before)}{escape(inner)}{'␣' * min(3, after)}"


def _numbers(column: Column) -> str:
    facts, shown = column.facts, []
    if column.group == "number" and "quantiles" in facts:
        shown = [
            ("lowest", figure(facts["least_number"])),
            ("middle", figure(facts["quantiles"]["0.5"])),
            ("mean", figure(facts["mean"])),
            ("highest", figure(facts["most_number"])),
        ]
    elif column.group == "text" and column.count:
        lengths = f"{facts['shortest']:,}–{facts['longest']:,}"
        shown = [("first", column.least or ""), ("last", column.most or "")]
        shown += [("letters", lengths)] if facts["shortest"] < facts["longest"] else []
    elif column.group == "time" and column.count:
        shown = [("earliest", column.least or ""), ("latest", column.most or "")]
    pairs = "".join(
        f"<div><dt>{said}</dt><dd>{escape(value if len(value) <= 40 else value[:39] + '…')}</dd></div>"
        for said, value in shown
    )
    return f"<dl>{pairs}</dl>" if pairs else ""


def _filled(column: Column, rows: int) -> str:
    return _percent(column.count / rows if rows else 0.0)


def _percent(share: float) -> str:
    """Return a share in whole percent; only all of it is 100, only nothing is 0."""
    if share in {0.0, 1.0}:
        return f"{100 * share:.0f} %"
    return f"{min(99, max(1, round(100 * share)))} %"
