"""Cuts a picture into the tiles of a Deep Zoom pyramid, in one ZIP; imported when there is work.

The ZIP is not compressed, so that a viewer can fetch single tiles as ranges of it: where each
lies says an index within (`picture.idx`), 12 bytes a tile, level by level, row by row.
"""

import errno
import math
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pyvips

from uploads.errors import Cancelled, InputError, StepError
from uploads.operations import pixels
from uploads.operations.base import Context, Json, Output
from uploads.operations.pixels import Header
from uploads.operations.preview import preview

if TYPE_CHECKING:
    from uploads.operations.zoom import Zoom

DAY: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can say: the same bytes each time
REGULAR: Final = 0o100644 << 16
LOCAL_HEADER_BYTES: Final = 30
SUFFIXES: Final = {"jpeg": "jpg", "webp": "webp", "png": "png"}
# What can be read from top to bottom, without the whole of it in memory.
STREAMED: Final = {"jpeg", "png", "tiff"}
UPRIGHT: Final = (0, 1, 2)
NO_ROOM: Final = os.strerror(errno.ENOSPC)


@dataclass(frozen=True)
class Pyramid:
    """The measures of all levels: each is half of the next, the last one is the picture."""

    width: int
    height: int
    tile: int

    @property
    def levels(self) -> int:
        return math.ceil(math.log2(max(self.width, self.height, 1))) + 1

    def tiles(self) -> Iterator[tuple[int, int, int]]:
        """Yield level, column and row of each tile, in the index's order."""
        for level in range(self.levels):
            across, down = self.size(level)
            for row in range(math.ceil(down / self.tile)):
                for column in range(math.ceil(across / self.tile)):
                    yield level, column, row

    def size(self, level: int) -> tuple[int, int]:
        """Return width and height of a level."""
        times = 2 ** (self.levels - 1 - level)
        return math.ceil(self.width / times), math.ceil(self.height / times)


def make(source: Path, step: "Context[Zoom]") -> Iterator[Output]:
    """Yield the ZIP with all tiles, read back and compared, and a small picture of it."""
    header = pixels.read_header(source, step.name)
    if header.frames > 1:
        step.warn(f"Only the first of {header.frames} pictures in the file was cut.")
    folder = step.path("tiles")
    _cut(source, header, folder, step)
    pyramid = Pyramid(header.width, header.height, step.options.tile)
    target = step.path("source-zoom.zip")
    facts = _pack(pyramid, folder, target, step)
    yield Output(target, meta={"width": header.width, "height": header.height, "zoom": facts})
    yield preview(_overview(pyramid, folder, step), step, "source-zoom")
    shutil.rmtree(folder)


def _cut(source: Path, header: Header, folder: Path, step: "Context[Zoom]") -> None:
    """Write the tiles as files; a damaged picture as far as it goes, with a warning."""
    try:
        _save(_opened(source, header, step, "error"), folder, step)
    except pyvips.Error as error:
        shutil.rmtree(folder, ignore_errors=True)
        if NO_ROOM in str(error.detail):
            raise OSError(errno.ENOSPC, NO_ROOM) from error
        try:
            _save(_opened(source, header, step, "none"), folder, step)
        except pyvips.Error as error:
            reason = pixels.reason_of(error)
            raise InputError("image_damaged", name=step.name, reason=reason) from error
        step.warn("The file is damaged or ends early; a part of the picture may be missing.")


def _opened(source: Path, header: Header, step: "Context[Zoom]", fail_on: str) -> Any:
    """Return the picture upright and in sRGB, not decoded yet where that is possible."""
    streamed = header.kind in STREAMED
    if streamed:
        image = pyvips.Image.new_from_file(str(source), access="sequential", fail_on=fail_on)
        turn = image.get("orientation") if image.get_typeof("orientation") else 1
        streamed = turn in UPRIGHT
    most = step.limits.zoom_max_pixels if streamed else step.limits.image_max_pixels
    if header.width * header.height > most:
        size: Json = {"width": header.width, "height": header.height}
        raise InputError("image_too_large", name=step.name, limit=f"{most / 1e6:g}", **size)
    if not streamed:
        return pixels.decode(source, header, step.name, None, frames=False)[0]
    image = image.autorot()
    if how := pixels.to_srgb(image):
        image = image.icc_transform(how["export_profile"], embedded=True, intent="relative")
    return image.colourspace("b-w" if image.bands <= 2 else "srgb").cast("uchar")


def _save(image: Any, folder: Path, step: "Context[Zoom]") -> None:
    """Write the tiles; raises `Cancelled` as soon as somebody wants it stopped."""
    options = step.options
    if options.format == "jpeg" and image.hasalpha():
        image = image.flatten(background=[255] * (image.bands - 1))
    stopped: list[Exception] = []

    def told(watched: Any, progress: Any) -> None:
        # What is raised in here would be lost in the library.
        try:
            step.report(0.8 * progress.percent / 100, "cutting")
        except Exception as error:
            stopped.append(error)
            watched.set_kill(True)

    image = image.copy()
    image.set_progress(True)
    image.signal_connect("eval", told)
    suffix = SUFFIXES[options.format]
    how = "" if options.format == "png" else f"[Q={options.quality}]"
    try:
        image.dzsave(
            str(folder / "picture"), layout="dz", tile_size=options.tile, overlap=0,
            suffix=f".{suffix}{how}", depth="onepixel", keep="none",
        )  # fmt: skip
    except pyvips.Error:
        if stopped:
            raise stopped[0] from None
        raise
    if stopped:
        raise Cancelled


def _pack(pyramid: Pyramid, folder: Path, target: Path, step: "Context[Zoom]") -> Json:
    """Put the tiles into a ZIP and return what a viewer has to know of it."""
    suffix = SUFFIXES[step.options.format]
    places: list[tuple[int, int, int]] = []  # offset, size and checksum of each tile
    tiles = list(pyramid.tiles())
    with ZipFile(target, "w", ZIP_STORED) as archive:
        _add(archive, "picture.dzi", (folder / "picture.dzi").read_bytes())
        for number, (level, column, row) in enumerate(tiles):
            step.report(0.8 + 0.1 * number / len(tiles), "packing")
            name = f"picture_files/{level}/{column}_{row}.{suffix}"
            try:
                content = (folder / name).read_bytes()
            except FileNotFoundError:
                raise _unlike(step, f"tile {column}, {row} of level {level} is missing.") from None
            places.append((_add(archive, name, content), len(content), zlib.crc32(content)))
        index = b"".join(struct.pack("<QI", at, size) for at, size, _ in places)
        at = _add(archive, "picture.idx", index)
    _compare(target, places, step)
    return {
        "width": pyramid.width,
        "height": pyramid.height,
        "tile": pyramid.tile,
        "index": [at, len(index)],
        "tiles": len(tiles),
    }


def _add(archive: ZipFile, name: str, content: bytes) -> int:
    """Append a member; return where its bytes begin."""
    member = ZipInfo(name, DAY)
    member.external_attr = REGULAR
    member.create_system = 3
    archive.writestr(member, content)
    return member.header_offset + LOCAL_HEADER_BYTES + len(name.encode())


def _compare(target: Path, places: list[tuple[int, int, int]], step: "Context[Zoom]") -> None:
    """Read every tile back from where the index says that it is."""
    with target.open("rb") as file:
        for number, (at, size, checksum) in enumerate(places):
            step.report(0.9 + 0.1 * number / len(places), "reading back")
            file.seek(at)
            if zlib.crc32(file.read(size)) != checksum:
                raise _unlike(step, f"tile {number:,} is not what was written.")


def _unlike(step: "Context[Zoom]", reason: str) -> StepError:
    return StepError("verification_failed", name=step.name, reason=reason)


def _overview(pyramid: Pyramid, folder: Path, step: "Context[Zoom]") -> Any:
    """Return the largest level that is a single tile."""
    level = min(pyramid.levels - 1, int(math.log2(pyramid.tile)))
    name = f"picture_files/{level}/0_0.{SUFFIXES[step.options.format]}"
    return pyvips.Image.new_from_file(str(folder / name)).copy_memory()
