"""Makes one video of several: packets one after another, encoded alike before where they are not.

What comes out is compared with the sum of all: pictures, length, and where the sound ends.
"""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from uploads.errors import InputError, StepError
from uploads.operations import chapters, ffmpeg, video_join, video_mux
from uploads.operations.base import Context, Json, Output
from uploads.operations.chapters import Chapter
from uploads.operations.films_look import Film, difference, look, suffix
from uploads.operations.probe import opened
from uploads.operations.spans import within
from uploads.operations.titles import plain

if TYPE_CHECKING:
    from uploads.operations.films import JoinFilms

LOOKING, ENCODED, MUXED = 0.05, 0.85, 0.92
# A film of which less can be decoded is no part of a result, not even with a warning.
DECODABLE_SHARE = 0.5
# The rounding of one seam: a picture more or less, where frame rates are made alike.
SPARE_FRAMES = 2
SOUND_SECONDS = 0.35
TIMESCALE = 90_000
FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}


def join(sources: Sequence[Path], step: "Context[JoinFilms]") -> Iterator[Output]:
    """Write the one video and its poster; raises `InputError` that names the video at fault."""
    films = list(_looked(sources, step))
    reason = difference(films) if step.options.method == "auto" else "it was wished"
    target = None
    if not reason:
        try:
            target = _whole(films, films, step, step.path("source" + suffix(films[0])))
        except (StepError, av.error.FFmpegError, ValueError) as error:
            if isinstance(error, StepError) and error.code != "verification_failed":
                raise
            reason = "a copy did not come out right"
    copied = target is not None
    if target is None:
        if len(films) > 1:
            step.log(f"All are encoded in {_shape(films[0])}: {reason}.")
        target = _whole(_alike(films, step), films, step, step.path("source.mp4"))
    else:
        step.log("All are of one kind: copied without encoding.")
    made = video_join.measure(target, step.name)
    size = (films[0].picture.width, films[0].picture.height) if copied else _size(films[0])
    meta: Json = {"width": size[0], "height": size[1], "frames": made.frames, "copied": copied}
    meta |= {"duration": round(made.picture_end - made.picture_start, 3), "films": len(films)}
    yield Output(target, meta=meta)
    yield video_join.poster(target, step, made, size, "source-poster.jpg")


def _looked(sources: Sequence[Path], step: "Context[JoinFilms]") -> Iterator[Film]:
    for place, (path, source) in enumerate(zip(sources, step.sources, strict=True)):
        low, high = (LOOKING * at / len(sources) for at in (place, place + 1))
        one = replace(within(step, low, high), name=source.name)
        yield look(path, one, sounds=step.options.audio == "keep")


def _size(film: Film) -> tuple[int, int]:
    return max(2, film.picture.width // 2 * 2), max(2, film.picture.height // 2 * 2)


def _shape(film: Film) -> str:
    width, height = _size(film)
    return f"{width} × {height}"


def _alike(films: Sequence[Film], step: "Context[JoinFilms]") -> list[Film]:
    """Encode each film as the first one's size and rate; sound as samples, silence where none is."""
    total = sum(film.seconds for film in films)
    sounds = any(film.sound for film in films)
    done, made = 0.0, []
    for place, film in enumerate(films):
        low, high = (
            LOOKING + (ENCODED - LOOKING) * at / total for at in (done, done + film.seconds)
        )
        target = step.path(f"film-{place:04d}.mov")
        one = replace(within(step, low, high), name=film.name)
        _encode(film, films[0], one, target, sounds=sounds)
        made.append(_encoded(film, films[0], one, target, sounds=sounds))
        done += film.seconds
    return made


def _encode(
    film: Film, first: Film, step: "Context[JoinFilms]", target: Path, *, sounds: bool
) -> None:
    begin = max(0.0, film.start - film.media.start)
    span = ["-t", f"{film.seconds:.6f}"]
    arguments = [*(["-ss", f"{begin:.6f}"] if begin else []), *span, *ffmpeg.reading(film.path)]
    heard = f"0:{film.sound.index}" if film.sound else "1:a"
    if sounds and film.sound is None:
        arguments += [*span, "-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo"]
    arguments += ["-map", f"0:{film.picture.index}", "-vf", _filters(film, first)]
    arguments += ["-c:v", "libx264", "-preset", step.options.speed, "-pix_fmt", "yuv420p"]
    arguments += ["-crf", str(step.options.quality), "-video_track_timescale", str(TIMESCALE)]
    if sounds:
        filled = f"aresample=48000:async=1:first_pts=0,apad,atrim=end={film.seconds:.6f}"
        arguments += ["-map", heard, "-af", f"{filled},aformat=channel_layouts=stereo"]
        arguments += ["-c:a", "pcm_s16le"]
    arguments += ["-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"]

    def progress(frames: int, seconds: float) -> None:
        step.report(seconds / max(0.1, film.seconds), f"encoding {film.name}")

    written = [*arguments, "-fflags", "+bitexact", str(target)]
    ffmpeg.run(written, name=film.name, limits=step.limits, progress=progress)


def _filters(film: Film, first: Film) -> str:
    """Return the filters that make a film's pictures as large, fast and coloured as the first's."""
    (width, height), picture = _size(first), film.picture
    factor = min(width / picture.width, height / picture.height)
    inner = [max(2, round(edge * factor / 2) * 2) for edge in (picture.width, picture.height)]
    inner = [min(inner[0], width), min(inner[1], height)]
    chain = [ffmpeg.DEINTERLACE] if picture.interlaced else []
    chain += [ffmpeg.SDR] if picture.transfer else []
    chain.append(f"scale={inner[0]}:{inner[1]}:out_color_matrix=bt709:out_range=tv,setsar=1")
    chain.append(f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:black")
    chain.append("setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709")
    return ",".join([*chain, f"fps={_rate(first)}:start_time=0,format=yuv420p"])


def _rate(film: Film) -> Any:
    return film.picture.rate or 30


def _encoded(
    film: Film, first: Film, step: "Context[JoinFilms]", target: Path, *, sounds: bool
) -> Film:
    """Count what one film became; what can't be decoded there is said, with its name."""
    made = video_join.measure(target, film.name)
    expected = film.seconds * float(_rate(first))
    if made.frames < DECODABLE_SHARE * expected:
        reason = f"only {made.frames} of {round(expected)} pictures can be decoded."
        raise InputError("media_damaged", name=film.name, reason=reason)
    if made.frames > expected + SPARE_FRAMES:
        raise _differs(film.name, f"{made.frames} pictures instead of {round(expected)}.")
    if made.frames < expected - SPARE_FRAMES:
        step.warn(f"“{film.name}” is damaged in places; look at the result there.")
    found = look(target, within(step, 1.0, 1.0), sounds=sounds)
    return replace(found, name=film.name)


def _whole(
    pieces: Sequence[Film], films: Sequence[Film], step: "Context[JoinFilms]", target: Path
) -> Path:
    """Put pieces of one kind one after another, with chapters; raises `StepError` if that differs."""
    mixed = step.path("mixed.mov" if target.suffix == ".mp4" else "mixed.mkv")
    _mux(pieces, mixed, within(step, ENCODED, MUXED))
    arguments = [*ffmpeg.reading(mixed)]
    noted = step.path("chapters.txt")
    if step.options.chapters and len(films) > 1:
        arguments += [*chapters.reading(_chapters(pieces), noted), "-map_chapters", "1"]
    samples = pieces[0].sound is not None and pieces[0].sound.codec == "pcm_s16le"
    encoded = samples and target.suffix == ".mp4"
    arguments += ["-map", "0:v", "-map", "0:a?", "-c", "copy"]
    # Not all at once: that would take the chapters' titles as well.
    arguments += ["-map_metadata:g", "-1", "-map_metadata:s", "-1"]
    arguments += ["-c:a", "aac", "-b:a", "160k"] if encoded else []
    if target.suffix == ".mp4":
        arguments += ["-movflags", "+faststart"]
        arguments += ["-tag:v", "hvc1"] if pieces[0].picture.codec == "hevc" else []
    seconds = sum(piece.seconds for piece in pieces)

    def progress(frames: int, written: float) -> None:
        within(step, MUXED, 0.99).report(written / max(0.1, seconds), "writing")

    ffmpeg.run(
        [*arguments, "-fflags", "+bitexact", str(target)],
        name=step.name,
        limits=step.limits,
        progress=progress,
    )
    _check(target, pieces, step)
    for left in (mixed, noted, *step.folder.glob("film-*.mov")):
        left.unlink(missing_ok=True)
    return target


def _mux(pieces: Sequence[Film], target: Path, step: "Context[JoinFilms]") -> None:
    """Write the packets of all pieces, each film's from the end of the one before on."""
    base = pieces[0].picture.time_base
    with ExitStack() as stack:
        heads = stack.enter_context(opened(pieces[0].path, pieces[0].name))
        options = {"video_track_timescale": str(base.denominator)}
        out = stack.enter_context(
            av.open(
                str(target),
                "w",
                format=FORMATS[target.suffix],
                options=options if target.suffix == ".mov" else {},
            )
        )
        head = heads.streams.video[0]
        track = out.add_stream_from_template(head, opaque=True)
        track.time_base = base
        placed, at = [], 0.0
        for piece in pieces:
            offset = round((at - piece.start) / float(base))
            placed.append(video_mux.Piece(piece.path, offset, _times(piece, offset)))
            at += piece.seconds
        flows = [video_mux.picture_packets(placed, track, head, step, float(base))]
        if pieces[0].sound is not None:
            heard = heads.streams[pieces[0].sound.index]
            flows.append(_sounds(pieces, out.add_stream_from_template(heard, opaque=True)))
        for _, _, packet in heapq.merge(*flows, key=lambda entry: entry[:2]):
            out.mux(packet)


def _times(piece: Film, offset: int) -> list[int]:
    with opened(piece.path, piece.name) as container:
        return [p.pts + offset for p in container.demux(container.streams.video[0]) if p.size]


def _sounds(pieces: Sequence[Film], track: Any) -> video_mux.Flow:
    """Yield each film's sound while its pictures last; no packet begins before another ends."""
    at, reached = 0.0, -1.0
    for piece in pieces:
        assert piece.sound is not None
        with opened(piece.path, piece.name) as container:
            for packet in container.demux(container.streams[piece.sound.index]):
                if not packet.size or packet.pts is None:
                    continue
                base = float(packet.time_base)
                lasts = (packet.duration or 0) * base
                begins = packet.pts * base + at - piece.start
                ends = at + piece.seconds - lasts / 2
                if begins >= ends or (at and begins < reached - lasts / 2):
                    continue
                reached = begins + lasts
                packet.pts = packet.dts = packet.pts + round((at - piece.start) / base)
                packet.stream = track
                yield begins, 1, packet
        at += piece.seconds


def _chapters(pieces: Sequence[Film]) -> list[Chapter]:
    ends = list(accumulate(piece.seconds for piece in pieces))
    return [
        Chapter(plain(Path(piece.name).stem), start, end)
        for piece, start, end in zip(pieces, [0.0, *ends[:-1]], ends, strict=True)
    ]


def _check(target: Path, pieces: Sequence[Film], step: "Context[JoinFilms]") -> None:
    """Compare pictures, length and the sound's end with the sum of all pieces."""
    made = video_join.measure(target, step.name)
    frames, seconds = sum(p.frames for p in pieces), sum(p.seconds for p in pieces)
    if made.frames != frames:
        raise _differs(step.name, f"{made.frames} pictures instead of {frames}.")
    found = made.picture_end - made.picture_start
    if abs(found - seconds) > 2 / float(_rate(pieces[0])) + 0.002 * len(pieces):
        raise _differs(step.name, f"{found:.3f} s long instead of {seconds:.3f} s.")
    if pieces[0].sound is None:
        return
    with opened(target, step.name) as container:
        stream = container.streams.audio[0]
        ends = [
            (p.pts + (p.duration or 0)) * p.time_base for p in container.demux(stream) if p.size
        ]
    apart = float(max(ends, default=0)) - made.picture_end
    if abs(apart) > SOUND_SECONDS:
        raise _differs(step.name, f"the sound ends {apart:+.2f} s off the picture.")


def _differs(name: str, reason: str) -> StepError:
    return StepError("verification_failed", name=name, reason=reason)
