"""Plans the encoding of one video: its packets' times, where to cut, what each part costs.

Cuts are key frames, written down in ticks of the source's time base, so that
each part knows exactly which pictures it must deliver. Nothing is written.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.errors import InputError
from uploads.operations.base import Context, Part
from uploads.operations.packets import Index, read_index, refuse_truncated
from uploads.operations.probe import Media, Picture, probe

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

SHORT_SECONDS = 20.0
PIECE_MIN_SECONDS = 4.0
PIECE_MAX_SECONDS = 60.0
# Nanoseconds of one core for each pixel: measured with FFmpeg 9 on 2 cores, 1080p to 720p.
DECODE_NANOSECONDS = 4.5
ENCODE_NANOSECONDS = {
    "ultrafast": 6.0,
    "superfast": 10.0,
    "veryfast": 14.0,
    "faster": 20.0,
    "fast": 28.0,
    "medium": 36.0,
    "slow": 65.0,
    "slower": 130.0,
}
# Measured with FFmpeg 9 at 2160p, two decoding threads, one encoding: 92 bytes a pixel
# (veryfast) and 184 (medium) in all; slower speeds look further ahead.
DECODE_BYTES_PER_PIXEL = 60
ENCODE_BYTES_PER_PIXEL = 200
MIB = 1024**2
COPY_SECONDS_PER_BYTE = 1 / 200e6
# Bits for each pixel that an ordinary H.264 file of CRF 23 does not exceed.
FITTING_BITS_PER_PIXEL = 0.2


def plan(source: Path, step: "Context[Transcode]") -> list[Part]:
    """Return the parts of one video: segments and a sound part, or one part for the whole.

    Raises `InputError` for what is no video, is beyond the limits or ends too early.
    """
    media = probe(source, step.name, step.limits)
    if media.picture is None:
        raise InputError("no_video_stream", name=step.name)
    index = read_index(source, media, step)
    refuse_truncated(index, step.name)
    shape = _shape(media, media.picture, step.options)
    frames = len(index.times) + index.untimed
    seconds = seconds_of(media.picture, shape, frames, step.options.speed, step.options.frame_rate)
    size = source.stat().st_size
    if step.options.copy_fitting and fits(media, media.picture, shape, step.options, size):
        copying = {"kind": "copy", "frames": frames, "saved_seconds": round(seconds, 1), **shape}
        return [Part(copying, weight=0.2 + size * COPY_SECONDS_PER_BYTE)]
    memory = memory_bytes(media.picture, shape)
    sound = 0.2 + media.duration / 60 if shape["sound"] else 0.0
    pieces = _pieces(index, media.picture, step)
    if len(pieces) == 1:
        whole = {"kind": "whole", **pieces[0], **shape}
        return [Part(whole, weight=seconds + sound, memory_bytes=memory)]
    parts = [
        Part(
            {"kind": "segment", **piece, **shape},
            weight=max(0.1, seconds * piece["frames"] / max(1, frames)),
            memory_bytes=memory,
            disk_bytes=MIB + size * piece["frames"] // max(1, frames),
        )
        for piece in pieces
    ]
    if sound:
        parts.append(Part({"kind": "sound", "sound": shape["sound"]}, weight=sound))
    return parts


def memory_bytes(picture: Picture, shape: dict[str, Any]) -> int:
    """Return what encoding these pictures takes, however many: decoded and looked-ahead ones."""
    decoded = picture.coded_width * picture.coded_height * DECODE_BYTES_PER_PIXEL
    return int(64 * MIB + decoded + shape["width"] * shape["height"] * ENCODE_BYTES_PER_PIXEL)


def _shape(media: Media, picture: Picture, options: "Transcode") -> dict[str, Any]:
    """Return what every part must know to make pictures that fit together."""
    width, height = scaled(picture, options.height, options.longest_edge)
    base = picture.time_base
    return {
        "stream": picture.index,
        "base": [base.numerator, base.denominator],
        "origin": round(media.start / float(base)),
        "width": width,
        "height": height,
        "scale": (width, height) != (picture.width, picture.height) or not picture.square,
        "interlaced": picture.interlaced,
        "transfer": picture.transfer,
        "duration": media.duration,
        "sound": _sound(media, options),
        "source_width": picture.width,
        "source_height": picture.height,
    }


def _sound(media: Media, options: "Transcode") -> dict[str, Any] | None:
    """Return the sound track that is kept: the first that can be decoded."""
    known = [sound for sound in media.sounds if sound.codec != "unknown"]
    if not known or options.audio == "drop":
        return None
    sound = known[0]
    chosen = {"index": sound.index, "codec": sound.codec, "surround": sound.channels > 2}
    return {**chosen, "start": sound.start - media.start, "duration": media.duration}


def scaled(picture: Picture, lines: int | None, longest: int | None) -> tuple[int, int]:
    """Return even width and height within both limits, at the same ratio, never enlarged."""
    short, long = sorted((picture.width, picture.height))
    factor = min(1.0, (lines or short) / short, (longest or long) / long)
    width, height = picture.width * factor, picture.height * factor
    return max(2, round(width / 2) * 2), max(2, round(height / 2) * 2)


def seconds_of(
    picture: Picture, shape: dict[str, Any], frames: int, speed: str, frame_rate: int | None = None
) -> float:
    """Return the estimated seconds of one worker to encode so many pictures in a shape."""
    decoded = picture.coded_width * picture.coded_height * DECODE_NANOSECONDS
    encoded = shape["width"] * shape["height"] * ENCODE_NANOSECONDS[speed]
    kept = 1.0
    if frame_rate and picture.rate:
        kept = min(1.0, frame_rate / float(picture.rate))
    return float(frames * (decoded + encoded * kept) * 1e-9)


def fits(
    media: Media, picture: Picture, shape: dict[str, Any], options: "Transcode", size: int
) -> bool:
    """Tell whether a video already is what the options ask for, so that copying will do."""
    if picture.codec != "h264" or picture.pixel_format not in {"yuv420p", "yuvj420p"}:
        return False
    if shape["scale"] or picture.interlaced or not picture.rate or media.duration <= 0:
        return False
    if options.frame_rate and picture.rate > options.frame_rate:
        return False
    bits = picture.bit_rate or size * 8 / media.duration
    better = 2 ** ((23 - options.quality) / 6)
    limit = FITTING_BITS_PER_PIXEL * better * picture.width * picture.height
    return bits <= limit * float(picture.rate)


def _pieces(index: Index, picture: Picture, step: "Context[Transcode]") -> list[dict[str, Any]]:
    """Cut the pictures into pieces at key frames: start and end in ticks, expected pictures."""
    base = float(picture.time_base)
    times = index.times
    doubtful = bool(index.untimed) or len(set(times)) != len(times) or not index.keys
    if doubtful:
        return [{"start": None, "end": None, "frames": len(times) + index.untimed}]
    length = (index.end - times[0]) * base
    cuts = [times[0]]
    if length >= SHORT_SECONDS:
        target = min(PIECE_MAX_SECONDS, max(PIECE_MIN_SECONDS, step.limits.video_segment_seconds))
        for key in index.keys:
            enough = (key - cuts[-1]) * base >= target
            if enough and (index.end - key) * base >= PIECE_MIN_SECONDS:
                cuts.append(key)
    return _counted(index, [*cuts, index.end + 1], picture, step.options.frame_rate)


def _counted(
    index: Index, bounds: list[int], picture: Picture, cap: int | None
) -> list[dict[str, Any]]:
    times = index.times
    keep = kept(times, picture, cap)
    pieces: list[dict[str, Any]] = []
    at = 0
    for start, end in pairwise(bounds):
        first, frames = keep[at], 0
        while at < len(times) and times[at] < end:
            frames += keep[at]
            at += 1
        piece = {"start": start, "end": end, "frames": frames, "first": bool(first)}
        whole = {"pace": pace(picture, cap), "offset": times[0], "last": index.end - times[-1]}
        pieces.append({**piece, **whole})
    return pieces


def pace(picture: Picture, cap: int | None) -> float | None:
    """Return capped pictures for each tick, or nothing when no picture is to be left out."""
    if cap is None or (picture.rate is not None and picture.rate <= cap):
        return None
    return cap * picture.time_base.numerator / picture.time_base.denominator


def kept(times: list[int], picture: Picture, cap: int | None) -> list[bool]:
    """Tell for each picture whether the cap keeps it: the first in each slot of 1/cap seconds.

    FFmpeg's `select` evaluates the same expression in the same arithmetic, so
    that a part knows its count before it starts.
    """
    factor = pace(picture, cap)
    if factor is None:
        return [True] * len(times)
    slots = [math.floor((time - times[0]) * factor) for time in times]
    return [True, *(later != slot for slot, later in pairwise(slots))]
