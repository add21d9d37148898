"""Which operations there are: the modules of this package and those that others install."""

import json
import logging
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from uploads.errors import RequestError
from uploads.operations.base import Operation, registered
from uploads.operations.options import canonical, parse_options, schema

log = logging.getLogger("tidemill.operations")

BUILT_IN = (
    "uploads.operations.image",
    "uploads.operations.sheet",
    "uploads.operations.duplicates",
    "uploads.operations.zoom",
    "uploads.operations.optimise",
    "uploads.operations.crop",
    "uploads.operations.watermark",
    "uploads.operations.video",
    "uploads.operations.hls",
    "uploads.operations.clip",
    "uploads.operations.films",
    "uploads.operations.audio",
    "uploads.operations.poster",
    "uploads.operations.frames",
    "uploads.operations.loop",
    "uploads.operations.audio_split",
    "uploads.operations.profile",
    "uploads.operations.query",
    "uploads.operations.db",
    "uploads.operations.data",
    "uploads.operations.data_check",
    "uploads.operations.data_merge",
    "uploads.operations.data_split",
    "uploads.operations.data_thin",
    "uploads.operations.pdf_pages",
    "uploads.operations.pdf_merge",
    "uploads.operations.pdf_split",
    "uploads.operations.pdf_compress",
    "uploads.operations.pdf_text",
    "uploads.operations.pdf_ocr",
    "uploads.operations.office",
    "uploads.operations.mail",
    "uploads.operations.archive",
    "uploads.operations.checksums",
    "uploads.operations.inspect",
)
ENTRY_POINTS = "tidemill.operations"
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")

_folders: list[Path] = []


@dataclass(frozen=True)
class Broken:
    """A package of operations that can't be used, and why."""

    package: str
    reason: str


def look_in(folders: Iterable[str]) -> None:
    """Take the packages in these folders as well, as if they were installed; before the first use."""
    for folder in map(Path, folders):
        _folders.append(folder.resolve())
        sys.path.append(str(folder.resolve()))


def operations() -> dict[str, Operation[Any]]:
    """Return every operation by name; imports the modules once."""
    return _loaded()[0]


def broken() -> tuple[Broken, ...]:
    """Return the installed packages of which no operation is offered: each is named, none is fatal."""
    return _loaded()[1]


@cache
def _loaded() -> tuple[dict[str, Operation[Any]], tuple[Broken, ...]]:
    for module in BUILT_IN:
        import_module(module)
    tried = [_load(point) for point in dict.fromkeys(_points())]
    return dict(sorted(registered().items())), tuple(found for found in tried if found)


def _points() -> Iterator[EntryPoint]:
    """Return the entry points of installed packages, then of those that only lie in a folder."""
    yield from sorted(entry_points(group=ENTRY_POINTS))
    for project in (folder / "pyproject.toml" for folder in _folders):
        if project.is_file():
            with project.open("rb") as file:
                told = tomllib.load(file).get("project", {}).get("entry-points", {})
            for name, value in told.get(ENTRY_POINTS, {}).items():
                yield EntryPoint(name, value, ENTRY_POINTS)


def _load(point: EntryPoint) -> Broken | None:
    """Import what others wrote; whatever is wrong with it must not stop the mill."""
    known = set(registered())
    try:
        point.load()
        for name in sorted(set(registered()) - known):
            _try_form(registered()[name])
    except (Exception, SystemExit) as error:
        log.exception("the operations of %s can't be used", point.value)
        for name in set(registered()) - known:
            del registered()[name]
        return Broken(point.value, f"{type(error).__name__}: {error}"[:300])
    return None


def _try_form(made: Operation[Any]) -> None:
    """Do once what every page does with an operation; raises what is wrong with it."""
    if not NAME.fullmatch(made.name):
        raise ValueError(f"{made.name!r} is no operation's name; it is like “words.count”")
    if not all("/" in pattern for pattern in made.accepts):
        raise ValueError('accepts is a list of media types, such as ["text/*"]')
    defaults = canonical(made.options())
    json.dumps(schema(made.options))
    for chosen in (defaults, *(preset.options for preset in made.presets)):
        parse_options(made.options, chosen)
    for estimate in (made.seconds, made.needs_memory, made.needs_disk):
        float(estimate(1))


def find(name: str) -> Operation[Any]:
    """Return the operation of this name; raises `RequestError` (`unknown_operation`)."""
    known = operations()
    if name not in known:
        raise RequestError("unknown_operation", operation=name, known=", ".join(known))
    return known[name]


def fitting(media_type: str) -> list[Operation[Any]]:
    """Return the operations that take a file of this media type."""
    return [made for made in operations().values() if made.accepts_type(media_type)]
