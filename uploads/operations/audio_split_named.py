"""The pieces of a recording: what each one is called, and what its tags say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.operations import chapters, ffmpeg
from uploads.operations.base import Context
from uploads.operations.chapters import Chapter
from uploads.operations.tags import Tags
from uploads.operations.titles import name_end

if TYPE_CHECKING:
    from uploads.operations.audio_split import SplitSound

# A piece begins with the chapter that begins so near.
NEAR_SECONDS = 1.0


@dataclass(frozen=True)
class Piece:
    """One piece: seconds of the sound, which begins `late` in its file; its number as tags have it."""

    name: str
    number: str
    start: float
    end: float
    late: float
    title: str

    @property
    def seconds(self) -> float:
        return self.end - self.start


def named(ends: Sequence[float], late: float, marked: Sequence[Chapter]) -> list[Piece]:
    """Return the pieces in their order, each with the title of the chapter that begins there."""
    starts = [0.0, *ends[:-1]]
    digits = max(2, len(str(len(ends))))
    pieces = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1):
        near = [c.title for c in marked if abs(c.start - late - start) < NEAR_SECONDS]
        title = near[0] if near else ""
        name = f"{number:0{digits}d}{name_end(title)}"
        pieces.append(Piece(name, f"{number}/{len(ends)}", start, end, late, title))
    return pieces


def tagged(source: Path, step: "Context[SplitSound]", tags: Tags, piece: Piece) -> list[str]:
    """Return the arguments that choose the sound, and the source's tags as this piece has them."""
    chosen = ["-map", "0:a"]
    if step.options.tags == "strip":
        return [*chosen, *Tags({"track": piece.number}).arguments()]
    values = {**tags.values, "track": piece.number}
    if piece.title:
        album = values.get("album") or values.get("title", "")
        values |= {"title": piece.title} | ({"album": album} if album else {})
    noted = tags.kept(piece.late + piece.start, piece.late + piece.end)
    # A single chapter says no more than the piece's own title.
    inputs = chapters.reading(noted, step.path("chapters.txt")) if len(noted) > 1 else []
    chosen += replace(tags, values=values, cover=None).arguments(1 if inputs else None)
    if tags.cover is not None:
        number = 2 if inputs else 1
        inputs += ffmpeg.reading(source)
        chosen += ["-map", f"{number}:{tags.cover}", "-c:v", "copy"]
        chosen += ["-disposition:v:0", "attached_pic"]
    return [*inputs, *chosen]
