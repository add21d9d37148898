"""Shares out the bits of a video that has to fit into so many bytes, or to have a rate.

Where the source spent many bits there is much to see: so a part gets its share by the bytes of
its pictures in the source, to the power that x264 itself uses (`qcomp`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from uploads.errors import InputError
from uploads.operations.base import Context, Json
from uploads.operations.probe import Picture, clock
from uploads.operations.video_codecs import CODECS
from uploads.operations.video_shape import scaled, turned
from uploads.operations.video_sound import bits_of

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

QCOMP = 0.6
# Bytes of tables in the file for each picture, and bits a second for each sound track.
PICTURE_TABLE_BYTES, SOUND_TABLE_BITS = 14, 4_000
HEAD_BYTES = 8_000
# A result must not be larger than asked for; it may be this much smaller.
AIM = 0.985
# Sound may take this share of a small file, down to a rate at which speech is understood.
SOUND_SHARE, LEAST_SOUND_RATE = 0.25, 32
LINES = (2160, 1440, 1080, 720, 540, 480, 360, 240, 144)
# At the smallest size pictures may be this much worse than elsewhere before it is refused.
LAST_RESORT = 0.5
# Bits a second below which no encoder follows.
LEAST_RATE = 4_000


def fit(
    picture: Picture, shape: dict[str, Any], frames: int, step: "Context[Transcode]"
) -> int | None:
    """Return the average bits a second of the pictures, or None when a quality is asked for.

    Makes sound and picture in `shape` smaller where the bytes would not do for them. Raises
    `InputError` (`size_unreachable`) when even the smallest picture needs more.
    """
    options = step.options
    if options.bit_rate:
        return options.bit_rate * 1000
    if not options.size_mb:
        return None
    seconds = max(0.1, shape["duration"])
    room = (options.size_mb * 1e6 * AIM - HEAD_BYTES - PICTURE_TABLE_BYTES * frames) * 8 / seconds
    _shrink_sound(shape, room)
    room -= sum(bits_of(sound) + SOUND_TABLE_BITS for sound in shape["sounds"])
    least = CODECS[options.codec].least_bits * frames / seconds
    before = shape["height"]
    for lines in (None, *LINES):
        wanted = [known for known in (options.height, lines) if known]
        stands = turned(picture, options.turn)
        width, height = scaled(stands, min(wanted, default=None), options.longest_edge)
        enough = width * height * least * (LAST_RESORT if lines == LINES[-1] else 1.0)
        if max(enough, LEAST_RATE) <= room:
            break
    else:
        needed = (max(enough, LEAST_RATE) - room) * seconds / 8e6 + options.size_mb
        raise InputError(
            "size_unreachable",
            name=step.name,
            duration=clock(seconds),
            size=f"{options.size_mb:g} MB",
            least=f"{needed:.1f} MB",
        )
    if height != before:
        step.log(f"Made {width} × {height} pixels, to fit into {options.size_mb:g} MB.")
        shape |= {"width": width, "height": height, "scale": True}
    return int(room)


def _shrink_sound(shape: dict[str, Any], room: float) -> None:
    """Lower the rate of the sound tracks where they would take too large a share."""
    if not shape["sounds"]:
        return
    most = room * SOUND_SHARE / 1000 / len(shape["sounds"])
    for sound in shape["sounds"]:
        if sound["becomes"] == "copy" or sound["rate"] > most:
            sound["becomes"] = "aac" if shape["suffix"] != ".webm" else "opus"
            sound["rate"] = max(LEAST_SOUND_RATE, int(min(sound["rate"], most)))


def allot(pieces: Sequence[Json], source_bytes: Sequence[int], bit_rate: int) -> None:
    """Give each piece its bits a second (`bit_rate`) so that all together have the average."""
    seconds = [piece["seconds"] for piece in pieces]
    rates = [max(1.0, size / max(0.01, s)) for size, s in zip(source_bytes, seconds, strict=True)]
    weights = [rate**QCOMP for rate in rates]
    mean = sum(w * s for w, s in zip(weights, seconds, strict=True)) / max(0.01, sum(seconds))
    for piece, weight in zip(pieces, weights, strict=True):
        piece["bit_rate"] = max(LEAST_RATE // 2, int(bit_rate * weight / mean))
