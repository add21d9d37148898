"""Draws what is known about one file as an HTML page that needs nothing else, and its corner for a tile."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from uploads.operations.base import Json
from uploads.operations.probe import clock
from uploads.operations.tables_page import page
from uploads.sizes import size_in_words

GLANCE_ROWS = 6
FACTS = {
    "media_type": "Type",
    "size_bytes": "Size",
    "format": "Format",
    "whole": "Whole",
    "ends_at": "Ends at",
    "of": "Should end at",
    "duration": "Lasts",
    "bit_rate": "Bit rate",
    "frames": "Frames",
    "decoded_pictures": "Pictures decoded",
    "codec": "Codec",
    "rate": "Rate",
    "channels": "Channels",
    "language": "Language",
    "rotation": "Turned by",
    "interlaced": "Interlaced",
    "transfer": "High dynamic range",
    "pages": "Pages",
    "page_size": "Size of a page",
    "version": "Version",
    "title": "Title",
    "encrypted": "Encrypted",
    "needs_password": "Needs a password",
    "form": "Has a form to fill in",
    "forbidden": "Its author forbids",
    "attachments": "Attachments",
    "subtitles": "Subtitles",
}
SECTIONS = {"video": "Picture track", "audio": "Sound track"}
# Said of every track for programs alone, or as part of another fact.
UNTOLD = {
    *("name", "kind", "index", "pixel_format", "coded_width", "coded_height", "square", "start"),
    *("time_base", "sample_format", "width", "height", "ends_at_seconds", "linearized"),
    *("page_sizes", "damage"),
}
# What nearly every file has, and nobody asks for.
COMMON = {"language": "und", "frames": 1}
CONTAINERS = {"mov,mp4,m4a,3gp,3g2,mj2": "MP4 or QuickTime", "matroska,webm": "Matroska or WebM"}
STYLE = """
main { max-width: 46rem; } section { margin-top: 1.5rem; } h2 { margin-bottom: .5rem; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .35rem 1.5rem; }
dt { color: var(--dim); } dd { min-width: 0; }
"""


def draw(facts: Json) -> str:
    """Return the page of a report; everything that the JSON says to people is on it."""
    body = f"<header><h1>{escape(str(facts['name']))}</h1></header>{_list(told(facts))}"
    for key, title in SECTIONS.items():
        tracks = facts.get(key) or []
        tracks = tracks if isinstance(tracks, list) else [tracks]
        for number, track in enumerate(tracks, start=1):
            called = f"{title} {number}" if len(tracks) > 1 else title
            body += f"<section><h2>{called}</h2>{_list(told(track))}</section>"
    sizes = facts.get("page_sizes") or {}
    if len(sizes) > 1:
        pages = [
            (size, f"{count} pages" if count > 1 else "1 page") for size, count in sizes.items()
        ]
        body += f"<section><h2>Sizes of pages</h2>{_list(pages)}</section>"
    if damage := facts.get("damage"):
        lines = escape("\n".join(damage))
        body += f"<section><h2>Damage</h2><pre>{lines}</pre></section>"
    return page(str(facts["name"]), f"<main>{body}</main>", STYLE)


def glance(facts: Json) -> Json:
    """Return the first facts as the corner of a table, for the tile."""
    video = facts.get("video")
    rows = [*told(facts), *(told(video) if isinstance(video, dict) else [])]
    rows = [row for row in rows if row[0] != FACTS["media_type"]]
    return {"columns": ["", ""], "rows": [list(row) for row in rows[:GLANCE_ROWS]]}


def told(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is said to people of a file or a track: words and values, both as text."""
    return list(_told(facts))


def _told(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if facts.get("width") and facts.get("height"):
        yield "Pixels", f"{facts['width']:,} × {facts['height']:,}"
    for key, value in facts.items():
        if key in UNTOLD or key in SECTIONS or value in (None, "", [], 0):
            continue
        if isinstance(value, bool) and not value and key != "whole":
            continue
        if COMMON.get(key) == value:
            continue
        yield FACTS.get(key, key.replace("_", " ").capitalize()), _value(key, value, facts)


def _value(key: str, value: Any, facts: Mapping[str, Any]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "size_bytes":
        return f"{size_in_words(value)} ({value:,} bytes)"
    if key == "duration":
        return clock(value)
    if key == "bit_rate":
        return f"{value / 1000:,.0f} kbit/s"
    if key == "rate":
        return f"{value:,} Hz" if "channels" in facts else f"{value:.6g} pictures a second"
    if key == "rotation":
        return f"{value}°"
    if key == "format":
        return CONTAINERS.get(value, str(value).upper())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(part) for part in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _list(rows: Sequence[tuple[str, str]]) -> str:
    entries = "".join(f"<dt>{escape(word)}</dt><dd>{escape(value)}</dd>" for word, value in rows)
    return f"<dl>{entries}</dl>"
