"""Writes what is there twice: a page, a table and, if wanted, the pictures; imported when there is work."""

import csv
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from uploads.errors import StepError, remedy, sentence
from uploads.operations.base import Context, Json, Output
from uploads.operations.duplicates_find import HOW, Found, Picture, Spool, find
from uploads.operations.duplicates_page import draw

if TYPE_CHECKING:
    from uploads.operations.duplicates import Duplicates

NAMED = 20
COLUMNS = (
    *("group", "keep", "how", "name", "width", "height", "size_bytes", "taken"),
    "error",
)


def make(sources: Sequence[Path], step: "Context[Duplicates]") -> Iterator[Output]:
    """Yield the page and the table, then the pictures that are asked for."""
    with closing(Spool(step.path("small-copies"))) as spool:
        found = find(sources, step, spool)
        _tell(found, step)
        yield _page(found, spool, step)
    yield _table(found, step)
    spare = {picture.number for picture in found.spare}
    wanted = step.options.pictures
    if wanted != "none":
        chosen = [p for p in found.pictures if (p.number in spare) == (wanted == "spare")]
        yield from _copied(chosen, step)


def _page(found: Found, spool: Spool, step: "Context[Duplicates]") -> Output:
    meta: Json = {
        "pictures": len(found.pictures),
        "groups": len(found.groups),
        "spare": len(found.spare),
        "spare_bytes": found.spare_bytes,
        "unreadable": len(found.unreadable),
    }
    target = step.path("source-duplicates.html")
    target.write_text(draw(found, spool.little), "utf-8")
    return Output(target, role="report", meta={**meta, "page": True})


def _tell(found: Found, step: "Context[Duplicates]") -> None:
    for file, error in found.unreadable[:NAMED]:
        values = {**error.values, "name": file.name}
        step.warn(f"Left out: {sentence(error.code, values)} {remedy(error.code, values)}")
    if (more := len(found.unreadable) - NAMED) > 0:
        step.warn(f"Left out: {more:,} more pictures that can't be read; the table names them.")
    step.log(
        f"{len(found.spare):,} of {len(found.pictures):,} pictures are duplicates, "
        f"in {len(found.groups):,} groups."
    )


def _table(found: Found, step: "Context[Duplicates]") -> Output:
    target = step.path("source-duplicates.csv")
    with target.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number, group in enumerate(found.groups, start=1):
            for place, picture in enumerate(group):
                table.writerow([number, "no" if place else "yes", *_cells(picture)])
        for unread, error in found.unreadable:
            words = sentence(error.code, {**error.values, "name": unread.name})
            table.writerow(["", "", "", unread.name, "", "", unread.size, "", words])
    return Output(target, role="report", meta={"media_type": "text/csv"})


def _cells(picture: Picture) -> list[object]:
    header = picture.header
    size = (header.width, header.height, picture.file.size)
    return [HOW[picture.how], picture.file.name, *size, picture.taken, ""]


def _copied(pictures: Sequence[Picture], step: "Context[Duplicates]") -> Iterator[Output]:
    """Yield pictures as they are, in their folders; raises `StepError` (`verification_failed`)."""
    for number, picture in enumerate(pictures):
        step.report(0.95 + 0.05 * number / len(pictures), "copying")
        name = PurePosixPath(picture.file.name)
        target = step.path(f"picture-{number}{name.suffix.lower()[:8]}")
        shutil.copyfile(picture.file.path, target)
        if target.stat().st_size != picture.file.size:
            raise StepError(
                "verification_failed", name=name.name, reason="it was not copied whole."
            )
        meta: Json = {
            "name": name.name,
            "folder": str(PurePosixPath("pictures") / name.parent),
            "media_type": picture.file.media_type,
            "width": picture.header.width,
            "height": picture.header.height,
        }
        yield Output(target, meta=meta)
