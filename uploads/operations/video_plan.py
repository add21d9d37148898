"""Plans the encoding of one video: its packets' times, where to cut, what each part costs.

Cuts are key frames, written down in ticks of the source's time base, so that
each part knows exactly which pictures it must deliver. Nothing is written.
"""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError
from uploads.operations import video_budget, video_burning
from uploads.operations.base import Context, Json, Part
from uploads.operations.packets import Index, read_index, refuse_truncated
from uploads.operations.probe import Media, Picture, clock, probe
from uploads.operations.times import parse_ranges
from uploads.operations.video_codecs import Encoding
from uploads.operations.video_shape import MIB, fits, memory_bytes, seconds_of, shape_of

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

SHORT_SECONDS = 20.0
PIECE_MIN_SECONDS = 4.0
PIECE_MAX_SECONDS = 60.0
COPY_SECONDS_PER_BYTE = 1 / 200e6
# What a picture costs that is like the one before, as a share of the usual, and how the rest
# follows from its bytes in the source: measured on scenes from plain to noisy, veryfast.
STILL_SHARE, BUSY_POWER = 0.3, 0.75
# Two passes cost this much more than one: the first looks without writing.
SECOND_PASS = 1.6
# Measuring the loudness reads all sound once more.
SOUND_SECONDS_PER_SECOND = {False: 1 / 60, True: 1 / 35}


@dataclass(frozen=True)
class Cut:
    """One video as it was planned: what it says of itself, its shape, and its pieces in order."""

    media: Media
    picture: Picture
    index: Index
    shape: Json
    pieces: list[Json]

    @property
    def frames(self) -> int:
        return len(self.index.times) + self.index.untimed


def cut(source: Path, step: "Context[Transcode]") -> Cut:
    """Read a video's index and cut it at key frames: each piece knows its times and pictures.

    Raises `InputError` for what is no video, is beyond the limits or ends too early.
    """
    media = probe(source, step.name, step.limits)
    picture = media.picture
    if picture is None:
        raise InputError("no_video_stream", name=step.name)
    index = read_index(source, media, step)
    refuse_truncated(index, step.name)
    # What a browser records tells no length.
    media = media if media.duration > 0 else replace(media, duration=index.seconds)
    shape = shape_of(media, picture, step)
    begin = index.times[0] if index.times else 0
    index = _windowed(index, media, picture, shape, step)
    pieces = _pieces(index, picture, step)
    for piece in pieces:
        piece |= {"begin": begin, "key": _key_before(index.keys, piece["start"])}
    return Cut(media, picture, index, shape, pieces)


def plan(source: Path, step: "Context[Transcode]") -> list[Part]:
    """Return the parts of one video: segments, sound and subtitles, or one part for all.

    Raises `InputError` as `cut` does, or for what can't become what is asked for.
    """
    found = cut(source, step)
    picture, shape, pieces, frames = found.picture, found.shape, found.pieces, found.frames
    if shape["burnt"]:
        video_burning.look(source, picture, shape["burnt"], step)
    size = source.stat().st_size
    seconds = _seconds(picture, shape, frames, step.options)
    fitting = fits(found.media, picture, shape, step.options, size)
    # A copy would show again what an edit has hidden.
    if step.options.copy_fitting and fitting and not found.index.hidden:
        copying = {"kind": "copy", "frames": frames, "saved_seconds": round(seconds, 1), **shape}
        return [Part(copying, weight=0.2 + size * COPY_SECONDS_PER_BYTE)]
    bit_rate = video_budget.fit(picture, shape, frames, step)
    if bit_rate is not None:
        video_budget.allot(pieces, _bytes(found.index, pieces), bit_rate)
    memory = memory_bytes(picture, shape, step.options.codec)
    others = _other_parts(shape, step.options)
    if len(pieces) == 1:
        whole = {"kind": "whole", **pieces[0], **shape}
        return [Part(whole, seconds + sum(part.weight for part in others), memory)]
    parts = [
        Part(
            {"kind": "segment", **piece, **shape},
            weight=max(0.1, seconds * share),
            memory_bytes=memory,
            disk_bytes=MIB + size * piece["frames"] // max(1, frames),
        )
        for piece, share in zip(pieces, shares(found), strict=True)
    ]
    return [*parts, *others]


def shares(found: Cut) -> list[float]:
    """Return the share of the encoding's work in each piece, by its pictures and their bytes.

    Where the source spent many bytes there is more to find out and to write.
    """
    sizes = _bytes(found.index, found.pieces)
    mean = max(1.0, sum(sizes) / max(1, found.frames))
    works = []
    for piece, size in zip(found.pieces, sizes, strict=True):
        busy = size / max(1, piece["frames"]) / mean
        works.append(piece["frames"] * (STILL_SHARE + (1 - STILL_SHARE) * busy**BUSY_POWER))
    return [work / max(1.0, sum(works)) for work in works]


def _other_parts(shape: Json, options: "Transcode") -> list[Part]:
    """Return a part for each sound track, and one for all subtitles."""
    pace = SOUND_SECONDS_PER_SECOND[options.loudness is not None]
    sounds = [
        Part({"kind": "sound", "sound": sound}, weight=0.2 + shape["duration"] * pace)
        for sound in shape["sounds"]
    ]
    if not shape["subtitles"]:
        return sounds
    told = {name: shape[name] for name in ("subtitles", "window", "duration")}
    return [*sounds, Part({"kind": "subtitles", **told}, weight=0.2 + shape["duration"] / 600)]


def _seconds(picture: Picture, shape: Json, frames: int, options: "Transcode") -> float:
    seconds = seconds_of(picture, shape, frames, options.speed, options.frame_rate, options.codec)
    rated = Encoding(options.codec, options.speed, options.quality, 1)
    aimed = options.size_mb or options.bit_rate
    return seconds * (SECOND_PASS if aimed and rated.passes > 1 else 1.0)


def _windowed(
    index: Index, media: Media, picture: Picture, shape: Json, step: "Context[Transcode]"
) -> Index:
    """Keep only the pictures that are wanted, and note the window in `shape`."""
    whole = _range(media, step)
    window = _sample(whole, step.sample_seconds)
    if window == (0.0, media.duration):
        return index
    begin, end = window
    base = float(picture.time_base)
    first, after = (math.ceil((media.start + at) / base - 1e-6) for at in window)
    if index.untimed:
        index = index.shortened((end - begin) / max(0.1, media.duration))
    else:
        index = index.within(first, after)
        if not index.times:
            lasts = clock(media.duration)
            raise InputError("range_outside", name=step.name, start=clock(begin), duration=lasts)
    shape |= {"window": [begin, end], "duration": end - begin, "origin": first}
    if window != whole:
        shape["sample_share"] = round((end - begin) / (whole[1] - whole[0]), 6)
    for sound in shape["sounds"]:
        start = max(0.0, sound["start"] - begin)
        sound |= {"window": [begin, end], "duration": end - begin, "start": start}
    return index


def _range(media: Media, step: "Context[Transcode]") -> tuple[float, float]:
    """Return the seconds that are asked for."""
    if not step.options.only:
        return 0.0, media.duration
    (wanted,) = parse_ranges(step.options.only, "only")
    begin, end = wanted.start, min(wanted.end, media.duration)
    if begin >= end:
        lasts = clock(media.duration)
        raise InputError("range_outside", name=step.name, start=clock(begin), duration=lasts)
    return begin, end


def _sample(whole: tuple[float, float], seconds: float | None) -> tuple[float, float]:
    """Return the stretch that a sample takes: not the start, which is seldom like the rest."""
    begin, end = whole
    if seconds is None or end - begin <= seconds:
        return whole
    begin += (end - begin - seconds) / 3
    return begin, begin + seconds


def _bytes(index: Index, pieces: list[Json]) -> list[int]:
    """Return the bytes that the pictures of each piece have in the source."""
    if pieces[0]["start"] is None:
        return [1]
    sums = [0, *accumulate(index.sizes[time] for time in index.times)]
    bounds = [
        (bisect_left(index.times, piece["start"]), bisect_left(index.times, piece["end"]))
        for piece in pieces
    ]
    return [sums[end] - sums[start] for start, end in bounds]


def _key_before(keys: list[int], start: int | None) -> int:
    """Return the key frame from which pictures are read: a window may begin between two."""
    before = bisect_right(keys, start or 0) - 1
    return keys[before] if before >= 0 else start or 0


def _pieces(index: Index, picture: Picture, step: "Context[Transcode]") -> list[Json]:
    """Cut the pictures into pieces at key frames: start and end in ticks, expected pictures."""
    base = float(picture.time_base)
    times = index.times
    doubtful = bool(index.untimed) or len(set(times)) != len(times) or not index.keys
    if doubtful:
        frames = len(times) + index.untimed
        rate = float(picture.rate or 25)
        return [{"start": None, "end": None, "frames": frames, "seconds": frames / rate}]
    length = (index.end - times[0]) * base
    cuts = [times[0]]
    if length >= SHORT_SECONDS:
        target = min(PIECE_MAX_SECONDS, max(PIECE_MIN_SECONDS, step.limits.video_segment_seconds))
        for key in index.keys:
            enough = (key - cuts[-1]) * base >= target
            if enough and (index.end - key) * base >= PIECE_MIN_SECONDS:
                cuts.append(key)
    return _counted(index, [*cuts, index.end + 1], picture, step.options.frame_rate)


def _counted(index: Index, bounds: list[int], picture: Picture, cap: int | None) -> list[Json]:
    times = index.times
    keep = kept(times, picture, cap)
    pieces: list[Json] = []
    at = 0
    for start, end in pairwise(bounds):
        first, frames = keep[at], 0
        while at < len(times) and times[at] < end:
            frames += keep[at]
            at += 1
        seconds = float((end - start) * picture.time_base)
        piece = {"start": start, "end": end, "frames": frames, "first": bool(first)}
        whole = {"pace": pace(picture, cap), "offset": times[0], "last": index.end - times[-1]}
        pieces.append({**piece, **whole, "seconds": seconds})
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
