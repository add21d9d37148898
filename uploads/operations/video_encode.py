"""Encodes one part of a video with FFmpeg: a segment, the sound, the whole, or a plain copy.

A segment's pictures are named by ticks of the source, and the part counts
what it made: a part that returns has exactly the pictures its plan promised,
or says that the source is damaged there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError
from uploads.operations import (
    ffmpeg,
    video_burning,
    video_filters,
    video_sound,
    video_subtitles,
)
from uploads.operations.base import Context, Json, Output
from uploads.operations.probe import opened
from uploads.operations.video_budget import LEAST_RATE
from uploads.operations.video_codecs import Encoding
from uploads.operations.video_notes import notes_of

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

# Seconds before the cut at which reading starts: open groups of pictures need some.
PREROLLS: tuple[float | None, ...] = (0.0, 1.0, 4.0, 15.0, None)
# A seek to the very tick lands one key frame early by rounding, which costs a third more.
SEEK_MARGIN_SECONDS = 0.010
# A part of which less can be decoded is no result, not even with a warning.
DECODABLE_SHARE = 0.5
# How often a part that has to fit is encoded, and how much smaller than needed after a miss.
MOST_TRIES, SMALLER = 3, 0.98
# A part's pictures and nothing else.
ALONE = ("-an", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1")
# The share of the progress that the first of two passes gets.
FIRST_PASS = 0.35


def encode(source: Path, step: "Context[Transcode]", part: Json) -> Iterator[Output]:
    """Make the files of one part; `meta` says their number of pictures and any damage."""
    kind = part["kind"]
    if kind == "sound":
        yield video_sound.encode(source, step, part["sound"], (0.0, 1.0))
    elif kind == "subtitles":
        yield from video_subtitles.make(source, step, part)
    elif kind == "copy":
        yield _copy(source, step, part)
        if part["subtitles"] and step.options.subtitles == "extract":
            yield from video_subtitles.make(source, step, part)
    elif kind == "segment":
        yield _pictures(source, step, part, (0.0, 1.0))
    else:
        sounds = part["sounds"]
        pictures = 0.9 if sounds else 1.0
        yield _pictures(source, step, part, (0.0, pictures))
        for place, sound in enumerate(sounds):
            low, high = (pictures + (1 - pictures) * at / len(sounds) for at in (place, place + 1))
            yield video_sound.encode(source, step, sound, (low, high))
        if part["subtitles"]:
            yield from video_subtitles.make(source, step, part)


def count_pictures(path: Path, name: str) -> int:
    """Return how many pictures a finished part holds."""
    with opened(path, name) as container:
        if not container.streams.video:  # FFmpeg was given none to write
            return 0
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _pictures(
    source: Path, step: "Context[Transcode]", part: Json, span: tuple[float, float]
) -> Output:
    """Encode the pictures of one part; reads from further back until the count is right."""
    target = step.path(f"part-{part['start'] or 0}.mp4")
    filters = video_filters.of(source, step, part)
    expected = part["frames"]
    found = -1
    for preroll in PREROLLS if part["start"] is not None else (None,):
        reading = [*opening(source, part, preroll), *filters, *ALONE]
        complaints = _encode(reading, target, step, part, span)
        before, found = found, count_pictures(target, step.name)
        if found == expected:
            # Starting further back, FFmpeg complains about pictures that are not ours.
            damaged = bool(complaints) and preroll == 0.0
            return Output(target, meta={"frames": found, "damaged": damaged})
        if found == before:
            break
    if found < DECODABLE_SHARE * expected:
        reason = f"only {found} of {expected} pictures can be decoded here."
        raise InputError("media_damaged", name=step.name, reason=reason)
    damaged = part["start"] is not None and found < expected
    return Output(target, meta={"frames": found, "damaged": damaged})


def _encode(
    reading: list[str],
    target: Path,
    step: "Context[Transcode]",
    part: Json,
    span: tuple[float, float],
) -> str:
    """Encode by quality, or to the part's bit rate: again where it took more bytes than its share."""
    options, rate = step.options, part.get("bit_rate")
    complaints = ""
    for _ in range(MOST_TRIES):
        encoding = Encoding(
            options.codec, options.speed, options.quality, rate, part["kind"] == "segment"
        )
        complaints = _passes([*reading, *encoding.arguments()], target, step, part, span, encoding)
        share = (part.get("bit_rate") or 0) * part["seconds"] / 8
        size = target.stat().st_size if target.exists() else 0
        if not rate or size <= share or options.bit_rate:
            break
        rate = max(LEAST_RATE // 2, int(rate * share / size * SMALLER))
    return complaints


def _passes(
    arguments: list[str],
    target: Path,
    step: "Context[Transcode]",
    part: Json,
    span: tuple[float, float],
    encoding: Encoding,
) -> str:
    """Run FFmpeg once, or twice of which the first time only looks."""
    low, high = span
    middle = low + (high - low) * FIRST_PASS if encoding.passes > 1 else low
    shown = _progress(step, part, (middle, high))
    target.unlink(missing_ok=True)
    arguments = [*arguments, *timing(step, part)]
    written = [*ticks(part), str(target.absolute())]
    if encoding.passes == 1:
        return _run([*arguments, *written], step, shown)
    looking = [*arguments, "-pass", "1", "-f", "null", "-"]
    _run(looking, step, _progress(step, part, (low, middle)))
    return _run([*arguments, "-pass", "2", *written], step, shown)


def _run(arguments: list[str], step: "Context[Transcode]", progress: ffmpeg.Progress) -> str:
    return ffmpeg.run(
        arguments, name=step.name, limits=step.limits, progress=progress, folder=step.folder
    )


def _progress(step: "Context[Transcode]", part: Json, span: tuple[float, float]) -> ffmpeg.Progress:
    low, high = span

    def progress(frames: int, seconds: float) -> None:
        step.report(low + (high - low) * min(1.0, frames / max(1, part["frames"])))

    return progress


def opening(source: Path, part: Json, preroll: float | None) -> list[str]:
    """Return the arguments that open the source where a part begins, or `preroll` seconds before."""
    numerator, denominator = part["base"]
    one_of_many = part["kind"] == "segment"
    arguments = ["-filter_threads", "1", "-filter_complex_threads", "1"] if one_of_many else []
    if part["start"] is not None:
        base = numerator / denominator
        if preroll is not None and part["start"] > part["begin"]:
            at = part["key"] * base + SEEK_MARGIN_SECONDS - preroll
            arguments += ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{at:.6f}"]
        arguments += ["-to", f"{part['end'] * base + 1:.6f}", "-copyts"]
    elif part["window"]:
        begin, end = part["window"]
        arguments += ["-ss", f"{begin:.6f}", "-t", f"{end - begin:.6f}"]
    # Two decoding threads feed one encoding thread; more would only take memory.
    arguments += ["-threads", "2"] if one_of_many else []
    return [*arguments, *video_burning.own_canvas(part), *ffmpeg.reading(source)]


def timing(step: "Context[Transcode]", part: Json) -> list[str]:
    """Return the arguments that keep the pictures' own times, and stop after the last one."""
    if part["start"] is None:
        return ["-fps_mode", "vfr"]
    arguments = ["-fps_mode", "passthrough", "-frames:v", str(part["frames"])]
    return [*arguments, "-enc_time_base", ffmpeg.demux_time_base(step.limits)]


def ticks(part: Json) -> list[str]:
    """Return the arguments that let a file count time as its source does."""
    return [] if part["start"] is None else ["-video_track_timescale", str(part["base"][1])]


def _copy(source: Path, step: "Context[Transcode]", part: Json) -> Output:
    """Put the tracks of a video that already fits into a new file, without encoding pictures."""
    target = step.path("copy" + part["suffix"])
    arguments = [*ffmpeg.reading(source), "-map", f"0:{part['stream']}", "-c:v", "copy"]
    if step.options.codec == "h265" and part["suffix"] == ".mp4":
        arguments += ["-tag:v", "hvc1"]
    for place, sound in enumerate(part["sounds"]):
        kept = sound["codec"].removesuffix("float") == sound["becomes"]
        how = video_sound.encoder({**sound, "becomes": "copy"} if kept else sound, [])
        arguments += ["-map", f"0:{sound['index']}", *_numbered(how, place)]
    subtitles = part["subtitles"] if step.options.subtitles == "keep" else []
    for place, track in enumerate(subtitles):
        how = ["-c:s", video_subtitles.encoder(step, track)]
        arguments += ["-map", f"0:{track['index']}", *_numbered(how, place)]
    tracks = [("v", {"index": part["stream"]})]
    tracks += [("a", sound) for sound in part["sounds"]] + [("s", track) for track in subtitles]
    notes = notes_of(source, step, part, part["origin"] * part["base"][0] / part["base"][1])
    arguments += ["-dn", *notes.arguments(tracks)]
    arguments += ["-movflags", "+faststart"] if step.options.faststart else []
    written = [*arguments, str(target.absolute())]
    complaints = _run(written, step, _progress(step, part, (0.0, 1.0)))
    frames = count_pictures(target, step.name)
    return Output(target, meta={"frames": frames, "damaged": bool(complaints)})


def _numbered(arguments: list[str], place: int) -> list[str]:
    """Return the encoder's arguments for one track of several."""
    return [f"{a}:{place}" if a in {"-c:a", "-b:a", "-af", "-c:s"} else a for a in arguments]
