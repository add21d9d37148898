"""Puts encoded parts and sound into one MP4, tick for tick, and checks it before it is shown."""

import heapq
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from uploads.errors import StepError
from uploads.operations import ffmpeg
from uploads.operations.base import Context, Json, Output, PartResult
from uploads.operations.probe import clock, opened

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

POSTER_WIDTH = 640
# Sound and picture may start this much further apart than in the source: one AAC packet.
OFFSET_SECONDS = 0.05


@dataclass(frozen=True)
class Piece:
    """One encoded part: where its first picture belongs and when its pictures are shown, in ticks."""

    path: Path
    offset: int
    times: list[int]


@dataclass(frozen=True)
class Made:
    """What the finished file holds: pictures, and seconds from its start."""

    frames: int
    picture_start: float
    picture_end: float
    sound_start: float | None


def join(source: Path, step: "Context[Transcode]", parts: Sequence[PartResult]) -> Iterator[Output]:
    """Make the final MP4 and its poster; raises `StepError` when the check finds a difference."""
    target = step.path("source.mp4")
    first = parts[0].params
    copied = first["kind"] == "copy"
    if copied:
        shutil.copyfile(parts[0].paths[0], target)
    else:
        _mux(target, step, parts)
    made = measure(target, step.name)
    step.report(0.9, "checking")
    damaged = any(meta.get("damaged") for part in parts for meta in part.meta)
    _check(made, parts, step.name, damaged=damaged)
    if damaged:
        step.warn("The source is damaged in places; look at the result there.")
    meta: Json = {
        "width": first["width"],
        "height": first["height"],
        "duration": round(made.picture_end - made.picture_start, 3),
        "frames": made.frames,
        "source_width": first["source_width"],
        "source_height": first["source_height"],
        "source_bytes": source.stat().st_size,
    }
    if copied:
        saved = first["saved_seconds"]
        step.log(
            f"Already as wanted: copied without encoding, which saved about {clock(saved)} of work."
        )
        meta |= {"copied": True, "saved_seconds": saved}
    yield Output(target, meta=meta)
    yield poster(target, step, made, (first["width"], first["height"]))


def _mux(target: Path, step: "Context[Transcode]", parts: Sequence[PartResult]) -> None:
    pictures, sound = _files(parts)
    with ExitStack() as stack:
        base, pieces = _pieces(pictures, step.name, silent=sound is None)
        head = stack.enter_context(opened(pieces[0].path, step.name)).streams.video[0]
        options = {"video_track_timescale": str(base.denominator)}
        if step.options.faststart:
            options["movflags"] = "+faststart"
        out = stack.enter_context(av.open(str(target), "w", format="mp4", options=options))
        track = out.add_stream_from_template(head)
        track.time_base = base
        flows = [_picture_packets(pieces, track, head, step)]
        if sound is not None:
            heard = stack.enter_context(opened(sound, step.name)).streams.audio[0]
            flows.append(_sound_packets(heard, out.add_stream_from_template(heard)))
        for _, _, packet in heapq.merge(*flows, key=lambda entry: entry[:2]):
            out.mux(packet)


def _files(parts: Sequence[PartResult]) -> tuple[list[tuple[Json, Path]], Path | None]:
    pictures: list[tuple[Json, Path]] = []
    sound: Path | None = None
    for part in parts:
        for path, meta in zip(part.paths, part.meta, strict=True):
            if meta.get("sound"):
                sound = path
            else:
                pictures.append((part.params, path))
    pictures.sort(key=lambda entry: entry[0]["start"] or 0)
    return pictures, sound


def _pieces(
    pictures: list[tuple[Json, Path]], name: str, *, silent: bool
) -> tuple[Fraction, list[Piece]]:
    """Read when each part's pictures are shown, on the time line of the whole."""
    pieces: list[Piece] = []
    base = Fraction(0)
    for params, path in pictures:
        with opened(path, name) as container:
            stream = container.streams.video[0]
            base = base or stream.time_base
            if stream.time_base != base:
                raise _differs(name, "the parts count time differently.")
            offset = 0
            if params["start"] is not None:
                origin = params["offset"] if silent else params["origin"]
                ticks = (params["start"] - origin) * Fraction(*params["base"]) / base
                offset = round(ticks)
            times = [p.pts + offset for p in container.demux(stream) if p.size]
        pieces.append(Piece(path, offset, times))
    return base, pieces


def _picture_packets(
    pieces: list[Piece], track: Any, head: Any, step: "Context[Transcode]"
) -> Iterator[tuple[float, int, Any]]:
    """Yield all pictures with new decoding times: right at the seams of uneven frame rates too.

    The k-th packet is decoded at the k-th showing time, moved back by as many
    places as any picture waits for later ones; that never exceeds its own.
    """
    depth = max(_depth(piece.times) for piece in pieces)
    ordered = [time for piece in pieces for time in sorted(piece.times)]
    gap = max(1, ordered[1] - ordered[0]) if len(ordered) > 1 else 1
    scale = float(track.time_base)
    extradata = head.codec_context.extradata
    at = 0
    for piece in pieces:
        with opened(piece.path, step.name) as container:
            stream = container.streams.video[0]
            if stream.codec_context.extradata != extradata:
                raise _differs(step.name, "the parts were encoded differently.")
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                packet.pts += piece.offset
                early = at - depth
                packet.dts = ordered[early] if early >= 0 else ordered[0] + early * gap
                at += 1
                if at % 500 == 0:
                    step.report(0.8 * at / len(ordered), "joining")
                packet.stream = track
                yield packet.dts * scale, 0, packet


def _depth(times: list[int]) -> int:
    rank = {time: place for place, time in enumerate(sorted(times))}
    return max((place - rank[time] for place, time in enumerate(times)), default=0)


def _sound_packets(heard: Any, track: Any) -> Iterator[tuple[float, int, Any]]:
    for packet in heard.container.demux(heard):
        if packet.size:
            at = float(packet.dts * packet.time_base)
            packet.stream = track
            yield at, 1, packet


def measure(path: Path, name: str) -> Made:
    """Read a finished file's pictures and times from its packets."""
    with opened(path, name) as container:
        stream = container.streams.video[0]
        base = float(stream.time_base)
        packets = [p for p in container.demux(stream) if p.size and not p.is_discard]
        sounds = container.streams.audio
        start = sounds[0].start_time if sounds else None
        return Made(
            frames=len(packets),
            picture_start=min(p.pts for p in packets) * base,
            picture_end=max(p.pts + (p.duration or 0) for p in packets) * base,
            sound_start=None if start is None else float(start * sounds[0].time_base),
        )


def _check(made: Made, parts: Sequence[PartResult], name: str, *, damaged: bool) -> None:
    """Compare with what the plan promised: pictures, length within one picture, sound offset."""
    params = [part.params for part in parts if "frames" in part.params]
    expected = sum(part["frames"] for part in params)
    timed = params[0].get("start") is not None
    if timed and not damaged and made.frames != expected:
        raise _differs(name, f"{made.frames} pictures instead of {expected}.")
    if not timed or damaged:
        return
    base = params[0]["base"][0] / params[0]["base"][1]
    length = (params[-1]["end"] - 1 - params[0]["start"]) * base
    one = max(length / max(1, expected), params[-1]["last"] * base) + base
    found = made.picture_end - made.picture_start
    if abs(found - length) > one + 0.001:
        raise _differs(name, f"{found:.3f} s long instead of {length:.3f} s.")
    if made.sound_start is not None and params[0]["sound"]:
        apart = made.picture_start - made.sound_start
        promised = (params[0]["start"] - params[0]["origin"]) * base - params[0]["sound"]["start"]
        if abs(apart - promised) > OFFSET_SECONDS:
            raise _differs(name, f"sound starts {apart - promised:+.3f} s off.")


def _differs(name: str, reason: str) -> StepError:
    return StepError("verification_failed", name=name, reason=reason)


def poster(
    video: Path,
    step: Context[Any],
    made: Made,
    size: tuple[int, int],
    name: str = "source-poster.jpg",
) -> Output:
    """Take the key frame a tenth into the video: a quick look; `video.poster` chooses."""
    target = step.path(name)
    at = made.picture_start + 0.1 * (made.picture_end - made.picture_start)
    factor = min(1.0, POSTER_WIDTH / size[0])
    width, height = (max(1, round(edge * factor)) for edge in size)
    arguments = ["-noaccurate_seek", "-ss", f"{at:.3f}", *ffmpeg.reading(video)]
    arguments += ["-map", "0:v:0", "-an", "-vf", f"scale={width}:{height}", "-frames:v", "1"]
    arguments += ["-q:v", "4", "-f", "mjpeg", str(target)]
    ffmpeg.run(arguments, name=step.name, limits=step.limits)
    return Output(target, role="preview", meta={"width": width, "height": height})
