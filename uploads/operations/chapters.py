"""Chapters of films and recordings: read, moved to where a result begins, written; times in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from uploads.operations.titles import plain

MOST_CHAPTERS = 1000
TICKS = 1_000_000
# A chapter of which less is left is none.
LEAST_SECONDS = 0.05


@dataclass(frozen=True)
class Chapter:
    """A stretch with a title, which may be empty."""

    title: str
    start: float
    end: float


def chapters_of(container: Any) -> list[Chapter]:
    """Return what an open container says of its chapters, in the order of their times."""
    found = []
    for chapter in container.chapters()[:MOST_CHAPTERS]:
        start, end = (float(chapter[at] * chapter["time_base"]) for at in ("start", "end"))
        if end > start:
            found.append(Chapter(plain(chapter["metadata"].get("title", "")), start, end))
    return sorted(found, key=lambda chapter: chapter.start)


def between(chapters: Sequence[Chapter], begin: float, end: float) -> list[Chapter]:
    """Return the chapters of a stretch, moved to its start and cut off at its ends."""
    moved = (
        replace(chapter, start=max(0.0, chapter.start - begin), end=min(chapter.end, end) - begin)
        for chapter in chapters
    )
    return [chapter for chapter in moved if chapter.end - chapter.start >= LEAST_SECONDS]


def reading(chapters: Sequence[Chapter], path: Path) -> list[str]:
    """Write chapters as FFmpeg's metadata, and return the arguments that open this as an input.

    Titles come along unless `-map_metadata -1` takes all kinds of notes away at once.
    """
    lines = [";FFMETADATA1"]
    for chapter in chapters:
        title = "".join(f"\\{c}" if c in "=;#\\" else c for c in chapter.title)
        lines += ["[CHAPTER]", f"TIMEBASE=1/{TICKS}"]
        lines += [f"START={round(chapter.start * TICKS)}", f"END={round(chapter.end * TICKS)}"]
        lines += [f"title={title}"] if title else []
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ["-f", "ffmetadata", "-i", f"file:{path.absolute()}"]


def written(chapters: Sequence[Chapter]) -> list[dict[str, Any]]:
    """Return chapters as PyAV writes them."""
    return [
        {
            "id": number,
            "start": round(chapter.start * TICKS),
            "end": round(chapter.end * TICKS),
            "time_base": Fraction(1, TICKS),
            "metadata": {"title": chapter.title} if chapter.title else {},
        }
        for number, chapter in enumerate(chapters, start=1)
    ]
