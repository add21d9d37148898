"""Reading, shrinking and writing pictures with libvips; knows no options, items or steps.

Imported inside the functions of operations alone: libvips takes 0.1 s and
10 MB that the web and worker processes, which read only labels and options,
do not need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyvips

from uploads.errors import InputError
from uploads.operations import heic
from uploads.operations.colours import is_srgb
from uploads.operations.limits import Limits
from uploads.operations.picture_ends import frames_of_png
from uploads.operations.picture_notes import say_density, without_private

Kind = Literal["jpeg", "png", "webp", "avif", "tiff", "gif", "heic"]
Target = Literal["jpeg", "png", "webp", "avif", "tiff", "gif"]
# Which part of a picture stays when it fills a box: its middle, or what catches the eye.
Crop = Literal["none", "centre", "attention"]
# Never enlarged, enlarged where it must be, or to the very size whatever its ratio.
Resize = Literal["down", "both", "force"]
Metadata = Literal["strip", "keep", "keep_all"]

# One picture at a time on one core each: the workers are the parallelism, and
# a cache of operations would only hold memory that no second picture uses.
pyvips.concurrency_set(1)
pyvips.cache_set_max(0)
pyvips.block_untrusted_set(True)

SUFFIXES: dict[Target, str] = {
    "jpeg": ".jpg",
    "png": ".png",
    "webp": ".webp",
    "avif": ".avif",
    "tiff": ".tif",
    "gif": ".gif",
}
ANIMATED = {"gif", "webp"}
QUALITIES: dict[Target, int] = {"jpeg": 80, "webp": 80, "avif": 50}
LONGEST_EDGE = 65_500
# The longest edge that a format holds, as far as libvips writes it.
LONGEST: dict[Target, int] = {"jpeg": 65_500, "webp": 16_383, "avif": 16_384, "gif": 65_535}
LEFT_TO_FILTER = 1.25
WHITE = (255, 255, 255)
MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
)
UNREADABLE = (pyvips.Error, *heic.UNREADABLE)


@dataclass(frozen=True)
class Header:
    """What the first bytes of a picture say; width and height as it is seen, in pixels."""

    kind: Kind
    width: int
    height: int
    frames: int


@dataclass(frozen=True)
class Box:
    """What a picture must fit into, fill after being cropped, or take exactly; pixels."""

    width: int
    height: int
    crop: Crop = "none"
    resize: Resize = "down"

    def within(self, header: Header) -> "Box":
        """Return the box made smaller until nothing need be enlarged, if nothing may be."""
        if self.crop == "none" or self.resize != "down":
            return self
        scale = min(1.0, header.width / self.width, header.height / self.height)
        width, height = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        return Box(width, height, self.crop, self.resize)

    def turned(self) -> "Box":
        """Return the box of a picture that will be turned by a quarter."""
        return Box(self.height, self.width, self.crop, self.resize)

    def how(self) -> dict[str, Any]:
        """Return what libvips calls it."""
        return {"size": self.resize, **({"crop": self.crop} if self.crop != "none" else {})}


def kind_of(source: Path) -> Kind | None:
    """Return the kind of picture that a file's first bytes announce."""
    with source.open("rb") as opened:
        head = opened.read(64)
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        end = min(len(head), int.from_bytes(head[:4], "big"))
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
        if brands & {b"avif", b"avis"}:
            return "avif"
        if brands & heic.BRANDS:
            return "heic"
    return None


def read_header(source: Path, name: str) -> Header:
    """Read a picture's size and frames without decoding it.

    Raises `InputError` (`empty_file`, `not_an_image`, `image_damaged`).
    """
    if source.stat().st_size == 0:
        raise InputError("empty_file", name=name)
    kind = kind_of(source)
    if kind is None:
        raise InputError("not_an_image", name=name)
    try:
        if kind == "heic":
            opened = heic.opened(source)
            return Header(kind, opened.size[0], opened.size[1], 1)
        image = pyvips.Image.new_from_file(str(source), access="sequential")
    except UNREADABLE as error:
        raise InputError("image_damaged", name=name, reason=reason_of(error)) from error
    frames = image.get("n-pages") if image.get_typeof("n-pages") else 1
    frames = frames_of_png(source) if kind == "png" else frames
    turned = image.get_typeof("orientation") and image.get("orientation") >= 5
    width, height = (image.height, image.width) if turned else (image.width, image.height)
    return Header(kind, width, height, frames)


def refuse_large(header: Header, name: str, limits: Limits, frames: int = 1) -> None:
    """Raise `InputError` (`image_too_large`, `media_too_large`) before anything is decoded."""
    area, limit = header.width * header.height, f"{limits.image_max_pixels / 1e6:g}"
    if area > limits.image_max_pixels:
        size = {"width": header.width, "height": header.height}
        raise InputError("image_too_large", name=name, limit=limit, **size)
    if area * frames > limits.image_max_pixels:
        size_words = f"{frames} frames of {header.width} × {header.height} pixels"
        reason = f"{size_words}; at most {limit} megapixels in all are allowed."
        raise InputError("media_too_large", name=name, reason=reason)
    refuse_many(frames, name, limits)


def refuse_many(frames: int, name: str, limits: Limits) -> None:
    """Raise `InputError` (`media_too_large`) for more frames, or pages, than are allowed."""
    if frames > limits.image_max_frames:
        reason = f"{frames} frames; at most {limits.image_max_frames} are allowed."
        raise InputError("media_too_large", name=name, reason=reason)


def refuse_long(width: int, height: int, target: Target, name: str) -> None:
    """Raise `InputError` for a result that is longer than its format can hold."""
    most = LONGEST.get(target, 0)
    if most and max(width, height) > most:
        wrong = (
            f"“{name}” would become {width} × {height} pixels; {target.upper()} holds at most "
            f"{most} a side."
        )
        raise InputError.because(wrong, "Choose a smaller size, or PNG.")


def decode(source: Path, header: Header, name: str, box: Box | None, *, frames: bool) -> Any:
    """Decode a picture once, upright, in sRGB and at most as large as the box, into memory.

    Returns the image and whether the file ended early or held errors that
    were passed over. Raises `InputError` (`image_damaged`) when nothing can be seen.
    """
    try:
        return _decode(source, header, box, frames, "error"), False
    except pyvips.Error:
        pass
    except heic.UNREADABLE as error:
        raise InputError("image_damaged", name=name, reason=reason_of(error)) from error
    try:
        return _decode(source, header, box, frames, "none"), True
    except UNREADABLE as error:
        raise InputError("image_damaged", name=name, reason=reason_of(error)) from error


def _decode(source: Path, header: Header, box: Box | None, frames: bool, fail_on: str) -> Any:
    edge = max(header.width, header.height)
    box = box or Box(edge, edge)
    how: dict[str, Any] = {**box.how(), "fail_on": fail_on}
    width, height = box.width, box.height
    if header.kind == "heic":
        opened = heic.pixels(source)
        how |= to_srgb(opened)
        # libheif has turned it already; its EXIF still holds the camera's note to do so.
        image = opened.thumbnail_image(width, height=height, no_rotate=True, **how)
    elif header.kind == "jpeg" and (loaded := _jpeg_shrink(header, box)) > 1:
        opened = pyvips.Image.new_from_file(
            str(source), access="sequential", shrink=loaded, fail_on=fail_on
        )
        how |= to_srgb(opened)
        if box.crop == "none" and box.resize != "force":
            # Of the whole picture's edges: those of the smaller one are rounded.
            scale = min(width / header.width, height / header.height)
            width, height = round(header.width * scale), round(header.height * scale)
            how["size"] = "force"
        image = opened.thumbnail_image(max(1, width), height=max(1, height), **how)
    else:
        how |= to_srgb(pyvips.Image.new_from_file(str(source), access="sequential"))
        pages = "[n=-1]" if frames else ""
        image = pyvips.Image.thumbnail(f"{source}{pages}", width, height=height, **how)
    if image.interpretation not in {"srgb", "b-w"}:
        image = image.colourspace("b-w" if image.bands <= 2 else "srgb")
    # Behind colours and how opaque it is, a TIFF may hold masks of those who edited it.
    most = 2 if image.interpretation == "b-w" else 4
    image = image if image.bands <= most else image.extract_band(0, n=most)
    return image.copy_memory()


def _jpeg_shrink(header: Header, box: Box) -> int:
    """Return by how much a JPEG is made smaller while it is decoded: 1, 2, 4 or 8.

    A quarter more than is wanted stays for the filter behind it. Of photos the difference is below
    what JPEG at quality 95 loses (44 dB and more at a factor of 2.5), and half of the time is saved.
    """
    wide, high = header.width / box.width, header.height / box.height
    whole = min(wide, high) if box.crop != "none" or box.resize == "force" else max(wide, high)
    return next((shrink for shrink in (8, 4, 2) if whole >= shrink * LEFT_TO_FILTER), 1)


def to_srgb(image: Any) -> dict[str, str]:
    """Return how to come to sRGB; what already is there is left alone, which is five times faster."""
    if image.interpretation == "cmyk":
        return {"export_profile": "srgb"}
    if not image.get_typeof("icc-profile-data"):
        return {}
    known = is_srgb(bytes(image.get("icc-profile-data")))
    return {} if known else {"export_profile": "srgb"}


def shrink(image: Any, box: Box) -> Any:
    """Return a copy of a decoded picture in another size."""
    return image.thumbnail_image(box.width, height=box.height, **box.how())


def write(
    image: Any,
    path: Path,
    target: Target,
    quality: int | None,
    metadata: Metadata,
    background: Sequence[int] = WHITE,
) -> None:
    """Encode a decoded picture; the defaults weigh time against size as measured.

    AVIF at the library's own effort costs 33 times the decoding, so it is
    lowered to 2; JPEG gets optimised tables: half of the writing, for 7 % of the bytes.
    """
    if metadata == "strip":
        keep: list[str] | str = "none"
    else:
        image, keep = without_private(image, all_kept=metadata == "keep_all"), "all"
    if target == "jpeg" and image.hasalpha():
        image = image.flatten(background=list(background))
    how: dict[Target, dict[str, Any]] = {
        "jpeg": {"optimize_coding": True},
        "png": {"compression": 6},
        "webp": {"effort": 2},
        "avif": {"compression": "av1", "effort": 2},
        "tiff": {"compression": "deflate", "predictor": "horizontal"},
        "gif": {"effort": 4},
    }
    if target in QUALITIES:
        how[target]["Q"] = quality or QUALITIES[target]
    image.write_to_file(str(path), keep=keep, **how[target])
    if target == "jpeg" and metadata == "strip":
        say_density(path, image)


def size_of(image: Any) -> tuple[int, int]:
    """Return width and height of one frame."""
    return image.width, image.get_page_height()


def reason_of(error: Exception) -> str:
    """Return what a library says of a picture that it can't read, as a sentence."""
    lines = str(getattr(error, "detail", "") or error).strip().splitlines()
    return (lines[0].strip() if lines else "it can't be decoded")[:200].rstrip(".") + "."
