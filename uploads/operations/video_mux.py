"""Writes one video file of encoded parts, sound tracks and subtitles, tick for tick, with PyAV."""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from uploads.errors import StepError
from uploads.operations import chapters
from uploads.operations.base import Context, Json, PartResult
from uploads.operations.probe import opened
from uploads.operations.video_notes import Notes, notes_of

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".webm": "webm"}
# Apple's players show H.265 under this name alone.
APPLE_HEVC = "hvc1"

Flow = Iterator[tuple[float, int, Any]]


@dataclass
class Sorted:
    """The files of all parts: pictures in order with their parameters, the others with their facts."""

    pictures: list[tuple[Json, Path]] = field(default_factory=list)
    sounds: list[tuple[Json, Path]] = field(default_factory=list)
    subtitles: list[tuple[Json, Path]] = field(default_factory=list)


@dataclass(frozen=True)
class Piece:
    """One encoded part: where its first picture belongs and when its pictures are shown, in ticks."""

    path: Path
    offset: int
    times: list[int]


def sort(parts: Sequence[PartResult]) -> Sorted:
    """Tell the parts' files apart; sound tracks and subtitles keep the order of the plan."""
    found = Sorted()
    for part in parts:
        for path, meta in zip(part.paths, part.meta, strict=True):
            if "sound" in meta:
                found.sounds.append((meta, path))
            elif "subtitle" in meta:
                found.subtitles.append((meta, path))
            else:
                found.pictures.append((part.params, path))
    found.pictures.sort(key=lambda entry: entry[0].get("start") or 0)
    order = [sound["index"] for sound in parts[0].params["sounds"]]
    found.sounds.sort(key=lambda entry: order.index(entry[0]["sound"]))
    return found


def write(
    source: Path, target: Path, step: "Context[Transcode]", shape: Json, made_of: Sorted
) -> None:
    """Write all tracks in the order of their times; raises `StepError` where parts don't match."""
    languages = {sound["index"]: sound["language"] for sound in shape["sounds"]}
    with ExitStack() as stack:
        base, pieces = _pieces(made_of, step.name)
        head = stack.enter_context(opened(pieces[0].path, step.name)).streams.video[0]
        options = {}
        if shape["suffix"] == ".mp4":
            options["video_track_timescale"] = str(base.denominator)
            options |= {"movflags": "+faststart"} if step.options.faststart else {}
        kind = FORMATS[shape["suffix"]]
        origin = _origin(shape, silent=not made_of.sounds)
        notes = notes_of(source, step, shape, float(origin * Fraction(*shape["base"])))
        out = stack.enter_context(av.open(str(target), "w", format=kind, options=options))
        track = out.add_stream_from_template(head, opaque=True)
        if shape["suffix"] == ".mp4" and step.options.codec == "h265":
            track.codec_context.codec_tag = APPLE_HEVC
        track.time_base = base
        _tell(out, notes)
        _call(track, shape["stream"], notes)
        flows: list[Flow] = [picture_packets(pieces, track, head, step, float(base))]
        others = [(path, meta["sound"], languages[meta["sound"]]) for meta, path in made_of.sounds]
        if step.options.subtitles == "keep":
            others += [
                (path, meta["subtitle"], meta["language"]) for meta, path in made_of.subtitles
            ]
        for place, (path, index, language) in enumerate(others, start=1):
            heard = stack.enter_context(opened(path, step.name)).streams[0]
            added = out.add_stream_from_template(heard, opaque=True)
            added.metadata["language"] = language or "und"
            _call(added, index, notes)
            flows.append(_other_packets(heard, added, place))
        for _, _, packet in heapq.merge(*flows, key=lambda entry: entry[:2]):
            out.mux(packet)


def _tell(out: Any, notes: Notes) -> None:
    """Write what is told of the whole file; only before its first packet."""
    out.metadata.update(notes.values)
    out.set_chapters(chapters.written(notes.chapters))
    for font in notes.fonts:
        out.add_attachment(font.name, font.media_type, font.content)


def _call(track: Any, index: int, notes: Notes) -> None:
    """Give a track the name and role that it has in the source."""
    if title := notes.titles.get(index):
        track.metadata["title"] = title
    track.disposition = notes.roles.get(index, 0)


def _origin(params: Json, *, silent: bool) -> int:
    """Return the source's tick at which the result begins: without sound at its first picture."""
    name = "offset" if silent and "offset" in params else "origin"
    return int(params[name])


def _pieces(made_of: Sorted, name: str) -> tuple[Fraction, list[Piece]]:
    """Read when each part's pictures are shown, on the time line of the whole."""
    silent = not made_of.sounds
    pieces: list[Piece] = []
    base = Fraction(0)
    for params, path in made_of.pictures:
        with opened(path, name) as container:
            stream = container.streams.video[0]
            base = base or stream.time_base
            if stream.time_base != base:
                raise _unlike(name, "the parts count time differently.")
            offset = 0
            if params["start"] is not None:
                ticks = (
                    (params["start"] - _origin(params, silent=silent))
                    * Fraction(*params["base"])
                    / base
                )
                offset = round(ticks)
            times = [p.pts + offset for p in container.demux(stream) if p.size]
        pieces.append(Piece(path, offset, times))
    return base, pieces


def picture_packets(
    pieces: list[Piece], track: Any, head: Any, step: Context[Any], scale: float
) -> Flow:
    """Yield all pictures with new decoding times: right at the seams of uneven frame rates too.

    The k-th packet is decoded at the k-th showing time, moved back by as many
    places as any picture waits for later ones; that never exceeds its own.
    """
    depth = max(_depth(piece.times) for piece in pieces)
    ordered = [time for piece in pieces for time in sorted(piece.times)]
    gap = max(1, ordered[1] - ordered[0]) if len(ordered) > 1 else 1
    extradata = head.codec_context.extradata
    at = 0
    for piece in pieces:
        with opened(piece.path, step.name) as container:
            stream = container.streams.video[0]
            if stream.codec_context.extradata != extradata:
                raise _unlike(step.name, "the parts were encoded differently.")
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


def _other_packets(heard: Any, track: Any, place: int) -> Flow:
    for packet in heard.container.demux(heard):
        if packet.size and packet.dts is not None:
            at = float(packet.dts * packet.time_base)
            packet.stream = track
            yield at, place, packet


def _unlike(name: str, reason: str) -> StepError:
    return StepError("verification_failed", name=name, reason=reason)
