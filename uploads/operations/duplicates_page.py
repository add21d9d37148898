"""Draws groups of duplicate pictures side by side as one HTML page that needs nothing else."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from pathlib import PurePosixPath

from uploads.operations.duplicates_find import HOW, Found, Picture
from uploads.operations.tables_page import counted, page

MOST_GROUPS, MOST_BESIDE, MOST_PICTURES = 300, 11, 1000

STYLE = """
main { max-width: 76rem; margin: 0 auto; }
.facts { display: flex; flex-wrap: wrap; gap: .6rem 2rem; margin: 1rem 0 1.5rem; padding: 0; list-style: none; }
.facts strong { display: block; font-size: 1.45rem; font-weight: 660; letter-spacing: -.02em; line-height: 1.2; }
.group { margin-top: 1.25rem; padding: 1rem 1.15rem 1.15rem; border: 1px solid var(--line); border-radius: 14px; background: var(--panel); }
.group h2 { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 1rem; margin-bottom: .75rem; font-size: 1rem; }
.group h2 span { color: var(--dim); font-weight: 400; font-size: .88rem; }
.side { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, clamp(8.4rem, 30vw, 11rem)), 1fr)); gap: 1rem; margin: 0; padding: 0; list-style: none; }
.side li { min-width: 0; font-size: .84rem; line-height: 1.4; }
.side div { display: grid; place-items: center; height: 9.5rem; padding: .4rem; margin-bottom: .45rem; border: 2px solid transparent; border-radius: 11px; background: var(--sunk); }
.side img { display: block; max-width: 100%; max-height: 100%; min-height: 0; border-radius: 5px; object-fit: contain; }
.side .kept div { border-color: var(--accent); }
.side b { display: block; font-weight: 620; } .kept b { color: var(--accent); } .side p + p { color: var(--dim); }
.side + p { margin-top: .6rem; }
.nothing { padding: 2.5rem 1rem; text-align: center; border-radius: 14px; background: var(--sunk); }
.odd { margin-bottom: 1.25rem; padding: .8rem 1.15rem; border-radius: 14px; background: var(--warn-soft); }
"""


def draw(found: Found, little: Callable[[Picture], bytes]) -> str:
    """Return the page; `little` gives a picture's small JPEG. What is too much for it is counted."""
    listed = "".join(f"<li><strong>{value}</strong>{said}</li>" for value, said in _facts(found))
    body = f'<header><h1>Duplicate pictures</h1></header><ul class="facts">{listed}</ul>'
    if found.unreadable:
        left = counted(len(found.unreadable), "file")
        body += f'<p class="odd">{left} could not be read and left out: see the table.</p>'
    if not found.groups:
        body += '<p class="nothing">No picture is there twice.</p>'
    shown = _that_fit(found.groups)
    for number, group in enumerate(shown, start=1):
        body += _group(number, group, little)
    if more := len(found.groups) - len(shown):
        body += f'<p class="dim">{counted(more, "group")} more: see the table.</p>'
    return page("Duplicate pictures", f"<main>{body}</main>", STYLE)


def _facts(found: Found) -> list[tuple[str, str]]:
    spare = len(found.spare)
    return [
        (f"{len(found.pictures):,}", "picture" if len(found.pictures) == 1 else "pictures"),
        (f"{len(found.groups):,}", "group" if len(found.groups) == 1 else "groups"),
        (f"{spare:,}", "not needed"),
        (size_words(found.spare_bytes), "to be freed"),
    ]


def _that_fit(groups: Sequence[list[Picture]]) -> list[list[Picture]]:
    """Return the first groups that make a page which browsers show at once."""
    fit: list[list[Picture]] = []
    count = 0
    for group in groups[:MOST_GROUPS]:
        count += min(len(group), MOST_BESIDE + 1)
        if count > MOST_PICTURES:
            break
        fit.append(group)
    return fit


def _group(number: int, group: Sequence[Picture], little: Callable[[Picture], bytes]) -> str:
    beside = group[1:]
    freed = size_words(sum(picture.file.size for picture in beside))
    title = f"<h2>Group {number} <span>{counted(len(group), 'picture')}, {freed} to be freed</span></h2>"
    shown = group[: MOST_BESIDE + 1]
    cells = "".join(_cell(p, little(p), kept=not place) for place, p in enumerate(shown))
    more = len(group) - len(shown)
    rest = (
        f'<p class="dim small">{counted(more, "picture")} more: see the table.</p>' if more else ""
    )
    return f'<section class="group">{title}<ul class="side">{cells}</ul>{rest}</section>'


def _cell(picture: Picture, little: bytes, *, kept: bool) -> str:
    name = picture.file.name
    header, how = picture.header, HOW[picture.how]
    facts = f"{header.width:,} × {header.height:,} · {size_words(picture.file.size)}"
    taken = f"<p>taken {escape(picture.taken[:10].replace(':', '-'))}</p>" if picture.taken else ""
    drawn = f'<img src="data:image/jpeg;base64,{b64encode(little).decode()}" alt="">'
    said = "Keep" if kept else how.capitalize()
    return (
        f"<li{' class=kept' if kept else ''}><div>{drawn}</div><b>{said}</b>"
        f'<p title="{escape(name)}">{escape(PurePosixPath(name).name)}</p><p>{facts}</p>{taken}</li>'
    )


def size_words(size: int) -> str:
    """Return bytes as people say them."""
    if size < 1000:
        return counted(size, "byte")
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.3g} {unit}" if value < 99.5 else f"{value:.0f} {unit}"
