"""Says how a video will come out: size, tracks, kind of file; and what that costs. Reads no packet."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from uploads.operations.base import Context
from uploads.operations.probe import Media, Picture, Subtitle
from uploads.operations.video_codecs import CODECS, CodecName, Speed
from uploads.operations.video_sound import tracks

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

MIB = 1024**2
# Nanoseconds of one core for each pixel that is read: measured with FFmpeg 9, 1080p H.264.
DECODE_NANOSECONDS = 4.5
# Measured with FFmpeg 9 at 2160p, two decoding threads, one encoding: 92 bytes a pixel
# (H.264, veryfast) and 184 (medium) in all; slower speeds look further ahead.
DECODE_BYTES_PER_PIXEL = 60
# Bits for each pixel that an ordinary H.264 file of CRF 23 does not exceed.
FITTING_BITS_PER_PIXEL = 0.2
TURNED = ("right", "left")


def shape_of(media: Media, picture: Picture, step: "Context[Transcode]") -> dict[str, Any]:
    """Return what every part must know to make pictures that fit together."""
    options = step.options
    stands = turned(picture, options.turn)
    width, height = scaled(stands, options.height, options.longest_edge)
    base = picture.time_base
    return {
        "stream": picture.index,
        "base": [base.numerator, base.denominator],
        "origin": round(media.start / float(base)),
        "width": width,
        "height": height,
        "scale": (width, height) != (stands.width, stands.height) or not picture.square,
        "interlaced": picture.interlaced,
        "transfer": picture.transfer,
        "duration": media.duration,
        "window": None,
        "suffix": "." + options.container,
        "sounds": tracks(media, step),
        "subtitles": _kept_subtitles(media, step),
        "burnt": _burnt(media, step),
        "source_width": picture.width,
        "source_height": picture.height,
    }


def turned(picture: Picture, turn: str) -> Picture:
    """Return a picture's facts after it was turned."""
    if turn not in TURNED:
        return picture
    return replace(picture, width=picture.height, height=picture.width)


def scaled(picture: Picture, lines: int | None, longest: int | None) -> tuple[int, int]:
    """Return even width and height within both limits, at the same ratio, never enlarged."""
    short, long = sorted((picture.width, picture.height))
    factor = min(1.0, (lines or short) / short, (longest or long) / long)
    width, height = picture.width * factor, picture.height * factor
    return max(2, round(width / 2) * 2), max(2, round(height / 2) * 2)


def _kept_subtitles(media: Media, step: "Context[Transcode]") -> list[dict[str, Any]]:
    """Return the subtitles that get a track or a file of their own; tells which can't."""
    wanted = step.options.subtitles
    if wanted not in {"keep", "extract"}:
        return []
    able = wanted == "keep" and step.options.container == "mkv"
    kept = [track for track in media.subtitles if track.is_text or able]
    if len(kept) < len(media.subtitles):
        left = len(media.subtitles) - len(kept)
        which = "One subtitle track is" if left == 1 else f"{left} subtitle tracks are"
        where = "can't be written as text" if wanted == "extract" else "fit into MKV only"
        step.log(f"{which} made of pictures, which {where}: left out.")
    return [
        {"index": track.index, "codec": track.codec, "language": track.language} for track in kept
    ]


def _burnt(media: Media, step: "Context[Transcode]") -> dict[str, Any] | None:
    if step.options.subtitles != "burn":
        return None
    if len(media.subtitles) < step.options.subtitle_track:
        count = len(media.subtitles)
        step.warn(f"It has {count or 'no'} subtitle track{'s' * (count != 1)}: none was burnt in.")
        return None
    track: Subtitle = media.subtitles[step.options.subtitle_track - 1]
    return {"index": track.index, "pictures": not track.is_text}


def memory_bytes(picture: Picture, shape: dict[str, Any], codec: CodecName = "h264") -> int:
    """Return what encoding these pictures takes, however many: decoded and looked-ahead ones."""
    decoded = picture.coded_width * picture.coded_height * DECODE_BYTES_PER_PIXEL
    encoded = shape["width"] * shape["height"] * CODECS[codec].bytes_per_pixel
    return int(64 * MIB + decoded + encoded)


def seconds_of(
    picture: Picture,
    shape: dict[str, Any],
    frames: int,
    speed: Speed,
    frame_rate: int | None = None,
    codec: CodecName = "h264",
) -> float:
    """Return the estimated seconds of one worker to encode so many pictures in a shape."""
    decoded = picture.coded_width * picture.coded_height * DECODE_NANOSECONDS
    encoded = shape["width"] * shape["height"] * CODECS[codec].cost(speed)
    kept = 1.0
    if frame_rate and picture.rate:
        kept = min(1.0, frame_rate / float(picture.rate))
    return float(frames * (decoded + encoded * kept) * 1e-9)


def fits(
    media: Media, picture: Picture, shape: dict[str, Any], options: "Transcode", size: int
) -> bool:
    """Tell whether a video already is what the options ask for, so that copying will do."""
    if picture.codec != CODECS[options.codec].decodes_as:
        return False
    if picture.pixel_format not in {"yuv420p", "yuvj420p"} or media.duration <= 0:
        return False
    if shape["scale"] or picture.interlaced or not picture.rate:
        return False
    if options.turn != "none" or shape["burnt"] or shape["window"]:
        return False
    if options.loudness is not None and shape["sounds"]:
        return False
    if options.frame_rate and picture.rate > options.frame_rate:
        return False
    bits = picture.bit_rate or size * 8 / media.duration
    if options.size_mb:
        return size <= options.size_mb * 1e6
    if options.bit_rate:
        return bits <= options.bit_rate * 1000
    better = 2 ** ((23 - options.quality) / 6)
    limit = FITTING_BITS_PER_PIXEL * better * picture.width * picture.height
    return bits <= limit * float(picture.rate)
