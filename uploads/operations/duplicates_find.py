"""Groups pictures that are the same, or almost, around the largest of them; writes nothing for people.

In memory is a line about each picture; their small copies lie in a file of scratch.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from uploads.errors import InputError, sentence
from uploads.operations import pixels
from uploads.operations.base import Context
from uploads.operations.likeness import how_alike
from uploads.operations.lookalikes import Lookalikes
from uploads.operations.pixels import Box, Header
from uploads.operations.spectra import COPY_BYTES, small_copy
from uploads.operations.summing import Placed, checksum, placed

if TYPE_CHECKING:
    from uploads.operations.duplicates import Duplicates

EDGE = 240
TAKEN: Final = "exif-ifd2-DateTimeOriginal"
HOW: Final = {
    "": "the largest",
    "file": "the same file",
    "same": "the same picture",
    "near": "saved again",
    "similar": "changed a little",
}


@dataclass
class Picture:
    """One picture that could be read; `taken` is when, as the camera wrote it, or ""."""

    number: int
    file: Placed
    header: Header
    taken: str
    spot: tuple[int, int]
    how: str = ""
    pixels: str = ""

    @property
    def area(self) -> int:
        return self.header.width * self.header.height

    @property
    def largest_first(self) -> tuple[int, int, str, int, int]:
        """Return by what to sort; of equal ones a copy's name tends to be longer: “x (1).jpg”."""
        name = len(self.file.name)
        return (-self.area, -self.file.size, self.taken or "9", name, self.number)


@dataclass
class Found:
    """What came of it: pictures, groups of two and more (the one to keep first), what is unreadable."""

    pictures: list[Picture] = field(default_factory=list)
    groups: list[list[Picture]] = field(default_factory=list)
    unreadable: list[tuple[Placed, InputError]] = field(default_factory=list)

    @property
    def spare(self) -> list[Picture]:
        """Return all that are not to be kept."""
        return [picture for group in self.groups for picture in group[1:]]

    @property
    def spare_bytes(self) -> int:
        return sum(picture.file.size for picture in self.spare)


class Spool:
    """The small copies and the little JPEGs of many pictures, in one file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        path.unlink()

    def close(self) -> None:
        self._file.close()

    def put(self, copy: bytes, little: bytes) -> tuple[int, int]:
        """Append both; return where they begin and how long the JPEG is."""
        at = self._file.seek(0, 2)
        self._file.write(copy)
        self._file.write(little)
        return at, len(little)

    def copy(self, picture: Picture) -> bytes:
        self._file.seek(picture.spot[0])
        return self._file.read(COPY_BYTES)

    def little(self, picture: Picture) -> bytes:
        self._file.seek(picture.spot[0] + COPY_BYTES)
        return self._file.read(picture.spot[1])


def find(sources: Sequence[Path], step: "Context[Duplicates]", spool: Spool) -> Found:
    """Return the groups, the one that frees most first; raises the first error if none is readable."""
    found = Found()
    files = placed(sources, step)
    for number, file in enumerate(files):
        step.report(0.8 * number / len(files), f"{number:,} of {len(files):,} pictures looked at")
        try:
            found.pictures.append(_look_at(number, file, step, spool))
        except InputError as error:
            found.unreadable.append((file, error))
    if not found.pictures:
        raise found.unreadable[0][1]
    groups: dict[int, list[Picture]] = {}
    single = list(_without_same_files(found.pictures, groups, step))
    _gather(single, groups, step, spool)
    order = {"largest": _largest, "earliest": _earliest, "first": _first}[step.options.keep]
    found.groups = [sorted(group, key=order) for group in groups.values() if len(group) > 1]
    found.groups.sort(key=lambda group: -sum(picture.file.size for picture in group[1:]))
    return found


def _largest(picture: Picture) -> Any:
    return picture.largest_first


def _earliest(picture: Picture) -> Any:
    return (picture.taken or "9", *picture.largest_first)


def _first(picture: Picture) -> Any:
    return picture.number


def _look_at(number: int, file: Placed, step: "Context[Duplicates]", spool: Spool) -> Picture:
    header = pixels.read_header(file.path, file.name)
    pixels.refuse_large(header, file.name, step.limits)
    image, damaged = pixels.decode(file.path, header, file.name, Box(EDGE, EDGE), frames=False)
    if damaged:
        step.warn(f"“{file.name}” is damaged or ends early.")
    taken = str(image.get(TAKEN))[:19] if image.get_typeof(TAKEN) else ""
    shown = image.flatten(background=[255]) if image.hasalpha() else image
    little = shown.write_to_buffer(".jpg", Q=72, keep="none")
    return Picture(number, file, header, taken, spool.put(small_copy(image), little))


def _without_same_files(
    pictures: Sequence[Picture], groups: dict[int, list[Picture]], step: "Context[Duplicates]"
) -> Iterator[Picture]:
    """Yield one picture of each content, the others in its group; only equal sizes are read."""
    sizes: dict[int, list[Picture]] = {}
    for picture in pictures:
        sizes.setdefault(picture.file.size, []).append(picture)
    for number, alike in enumerate(sizes.values()):
        step.report(0.8 + 0.05 * number / len(sizes), "comparing files")
        known: dict[str, Picture] = {}
        for picture in sorted(alike, key=_largest):
            digest = checksum(picture.file.path, "sha256", _silent) if len(alike) > 1 else ""
            if first := known.setdefault(digest, picture):
                groups.setdefault(first.number, []).append(picture)
            if first is picture:
                yield picture
            else:
                picture.how = "file"


def _silent(size: int) -> None:
    """Nobody hears of single pieces: pictures are small."""


def _gather(
    pictures: Sequence[Picture],
    groups: dict[int, list[Picture]],
    step: "Context[Duplicates]",
    spool: Spool,
) -> None:
    """Let each picture, the largest first, draw those into its group that are it again."""
    changed = step.options.likeness == "similar"
    by_number = {picture.number: picture for picture in pictures}
    index = Lookalikes()
    for picture in pictures:
        index.add(picture.number, spool.copy(picture))
    for done, picture in enumerate(sorted(pictures, key=_largest)):
        step.report(0.85 + 0.1 * done / len(pictures), "comparing pictures")
        if picture.number not in by_number:
            continue
        index.remove(by_number.pop(picture.number).number)
        copy, more = spool.copy(picture), True
        # Where most of the likeliest are alike, there may be more of them than are proposed at once.
        while more:
            proposed = index.like(copy, changed=changed)
            drawn = []
            for number in proposed:
                other = by_number[number]
                if how := _how(picture, copy, other, spool.copy(other), step):
                    index.remove(by_number.pop(number).number)
                    drawn += _joined(groups.pop(number), how)
            groups[picture.number] += drawn
            more = 0 < len(proposed) < 2 * len(drawn)


def _joined(group: list[Picture], how: str) -> list[Picture]:
    """Return a picture with its very copies: they, too, are to the largest what it is."""
    for member in group:
        member.how = how
    return group


def _how(
    picture: Picture, copy: bytes, other: Picture, others: bytes, step: "Context[Duplicates]"
) -> str:
    """Return how alike two pictures are, "" when that is not enough."""
    likeness = step.options.likeness
    a, b = picture.header, other.header
    if (a.frames > 1) != (b.frames > 1):
        return ""
    shapes = (a.width * b.height) / (a.height * b.width)
    alike = how_alike(copy, others, shapes, changed=likeness == "similar")
    if alike is None or likeness != "same":
        return alike or ""
    whole = (a.width, a.height, a.frames) == (b.width, b.height, b.frames)
    return "same" if whole and _pixels(picture, step) == _pixels(other, step) else ""


def _pixels(picture: Picture, step: "Context[Duplicates]") -> str:
    """Return a checksum of the pixels as they are seen; kept, as a picture may be compared often.

    What can't be decoded as a whole is like nothing else, which a warning says.
    """
    if not picture.pixels:
        try:
            picture.pixels = hashlib.sha256(_whole(picture, step).write_to_memory()).hexdigest()
        except InputError as error:
            picture.pixels = f"unknown {picture.number}"
            values = {**error.values, "name": picture.file.name}
            step.warn(f"Not compared as a whole: {sentence(error.code, values)}")
    return picture.pixels


def _whole(picture: Picture, step: "Context[Duplicates]") -> Any:
    """Return all frames with all pixels; raises `InputError` for too many, or where they differ in size."""
    file, header = picture.file, picture.header
    if header.kind == "png" and header.frames > 1:
        raise InputError.because(f"“{file.name}” is a moving PNG, of which only one frame is read.")
    pixels.refuse_large(header, file.name, step.limits, header.frames)
    image, _ = pixels.decode(file.path, header, file.name, None, frames=header.frames > 1)
    image = image.addalpha() if not image.hasalpha() else image
    return image.colourspace("srgb").cast("uchar")
