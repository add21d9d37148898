"""Packs JPEG (mozjpeg) and PNG (oxipng) files better and compares all pixels; imported when there is work."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyvips

from uploads.errors import InputError
from uploads.operations import pixels
from uploads.operations.base import Context, Output
from uploads.operations.jpeg_packed import packed
from uploads.operations.picture_ends import behind, without_notes
from uploads.operations.pixels import Header
from uploads.operations.preview import EDGE, preview

if TYPE_CHECKING:
    from uploads.operations.optimise import Optimise

oxipng: Any
try:
    import oxipng
except ModuleNotFoundError:  # not built for this Python yet
    oxipng = None

LEVELS: Final = {"fast": 1, "normal": 3, "most": 5}
HEAD_BYTES: Final = 256 * 1024
# Further pictures behind the first: both libraries would drop or break them.
FURTHER: Final = {"jpeg": b"MPF\0", "png": b"acTL"}
# What colours and the size on paper come from, where notes go.
COLOURS: Final = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"pHYs")
# EXIF that says nothing but how the picture is to be turned: TIFF, big-endian, one entry.
TURN: Final = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0"
JPEG_BEGIN_BYTES, PNG_BEGIN_BYTES = 2, 33  # the signature; of a PNG with IHDR, which comes first


def make(source: Path, step: "Context[Optimise]") -> Iterator[Output]:
    """Yield the smaller file, or the same one where it can't be; raises `InputError` for damaged ones."""
    header = pixels.read_header(source, step.name)
    if header.kind not in FURTHER:
        raise InputError("not_an_image", name=step.name)
    pixels.refuse_large(header, step.name, step.limits)
    step.report(0.05, "reading")
    content = source.read_bytes()
    before = _decoded(content, step)
    step.report(0.2, "packing")
    made = content
    if FURTHER[header.kind] in content[:HEAD_BYTES]:
        _tell_of_further(step)
    else:
        pack: Callable[..., bytes] = {"jpeg": _jpeg, "png": _png}[header.kind]
        smaller = pack(source, before, step) + _rest(content, step)
        made = smaller if len(smaller) < len(content) else content
    if made is not content:
        step.report(0.8, "comparing")
        made = made if _is_same(before, made, step) else _untouched(content, step)
    elif step.options.metadata == "keep":
        step.log("It can't be packed better: it is the same file.")
    yield from _written(made, header, len(content), before, step)


def _tell_of_further(step: "Context[Optimise]") -> None:
    if step.options.metadata == "keep":
        step.log("There are further pictures in the file: it was left as it is.")
    else:
        step.warn(
            "There are further pictures in the file: it was left as it is, with its notes and place. "
            "“Convert pictures” removes them, and the further pictures."
        )


def _rest(content: bytes, step: "Context[Optimise]") -> bytes:
    """Return what stays behind the picture: it is found from the end, so it may move."""
    rest = behind(content)
    if rest and step.options.metadata == "strip":
        step.warn(
            f"{len(rest):,} bytes behind the picture, such as the film of a moving photograph, were "
            "removed with the notes."
        )
        return b""
    return rest


def _written(
    made: bytes, header: Header, before_bytes: int, before: Any, step: "Context[Optimise]"
) -> Iterator[Output]:
    target = step.path("source.jpg" if header.kind == "jpeg" else "source.png")
    target.write_bytes(made)
    facts = {"width": header.width, "height": header.height, "source_bytes": before_bytes}
    yield Output(target, meta={**facts, "verified": "pixels"})
    small = before.thumbnail_image(EDGE, height=EDGE, size="down")
    small = small if small.interpretation in {"srgb", "b-w"} else small.colourspace("srgb")
    yield preview(small.cast("uchar"), step)


def _decoded(content: bytes, step: "Context[Optimise]") -> Any:
    """Return all pixels as they are stored; raises `InputError` (`image_damaged`)."""
    try:
        return pyvips.Image.new_from_buffer(content, "", fail_on="error").copy_memory()
    except pyvips.Error as error:
        reason = pixels.reason_of(error)
        raise InputError("image_damaged", name=step.name, reason=reason) from error


def _jpeg(source: Path, before: Any, step: "Context[Optimise]") -> bytes:
    if step.options.metadata == "keep":
        return packed(source, "ALL", step)
    # Of a small picture what mozjpeg makes may be larger, and notes have to go all the same.
    made = min(packed(source, "ICC", step), without_notes(source.read_bytes()), key=len)
    exif = b"Exif\0\0" + TURN % _turn(before)
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    return made if _turn(before) == 1 else _with(segment, made, JPEG_BEGIN_BYTES)


def _png(source: Path, before: Any, step: "Context[Optimise]") -> bytes:
    kept = step.options.metadata == "keep"
    if oxipng is None:
        made = bytes(
            before.pngsave_buffer(compression=9, filter="all", keep="all" if kept else "icc")
        )
    else:
        made = _by_oxipng(source, step, kept=kept)
    if kept or _turn(before) == 1:
        return made
    exif = b"eXIf" + TURN % _turn(before)
    chunk = (len(exif) - 4).to_bytes(4, "big") + exif + zlib.crc32(exif).to_bytes(4, "big")
    return _with(chunk, made, PNG_BEGIN_BYTES)


def _by_oxipng(source: Path, step: "Context[Optimise]", *, kept: bool) -> bytes:
    content, level = source.read_bytes(), LEVELS[step.options.effort]
    # The word alone would take the profile's place.
    stay = [name for name in COLOURS if name != b"sRGB" or b"iCCP" not in content[:HEAD_BYTES]]
    strip = oxipng.StripChunks.none() if kept else oxipng.StripChunks.keep(stay)
    try:
        return bytes(oxipng.optimize_from_memory(content, level=level, strip=strip))
    except oxipng.PngError as error:
        reason = f"{str(error)[:200].rstrip('.')}."
        raise InputError("image_damaged", name=step.name, reason=reason) from error


def _turn(image: Any) -> int:
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def _with(piece: bytes, content: bytes, at: int) -> bytes:
    return content[:at] + piece + content[at:]


def _is_same(before: Any, made: bytes, step: "Context[Optimise]") -> bool:
    """Compare every pixel as it is seen, its turn and its colours' profile."""
    after = _decoded(made, step)
    same = (before.width, before.height) == (after.width, after.height)
    same = same and _turn(before) == _turn(after) and _profile(before) == _profile(after)
    deep = "ushort" in {before.format, after.format}
    return same and not _apart(_seen(before, deep=deep), _seen(after, deep=deep))


def _untouched(content: bytes, step: "Context[Optimise]") -> bytes:
    """Return the file as it is, where decoders see different things in it; with notes it can't stay."""
    if step.options.metadata == "strip":
        reason = "packed anew it looks different."
        raise InputError("image_damaged", name=step.name, reason=reason)
    step.warn("Packed anew it looks different, as damaged pictures do: it was left as it is.")
    return content


def _profile(image: Any) -> Any:
    return image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None


def _apart(a: Any, b: Any) -> bool:
    return bool((a.bands, a.format) != (b.bands, b.format) or (a - b).abs().max() > 0)


def _seen(image: Any, *, deep: bool) -> Any:
    """Return red, green, blue and how opaque, of a palette and of grey as well; CMYK as it is.

    If `deep`, 16 bits of each: 8 bits say the same where both bytes of the 16 are equal.
    """
    if image.interpretation == "cmyk":
        return image
    image = image if image.hasalpha() else image.addalpha()
    if deep and image.format == "uchar":
        return (image.colourspace("srgb") * 257).cast("ushort")
    return image.colourspace("rgb16" if deep else "srgb")
