"""Cuts one sound track into pieces: packets are copied where they can be, else samples are encoded.

Everything is read once, from the start, never sought: so the pieces hold all of it, once.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError, StepError
from uploads.operations import audio_split_named, ffmpeg, meter
from uploads.operations.audio import ConvertSound
from uploads.operations.audio_split_named import Piece
from uploads.operations.base import Context, Output
from uploads.operations.chapters import Chapter
from uploads.operations.meter import Measured
from uploads.operations.packets import hidden_sound
from uploads.operations.probe import Sound, clock
from uploads.operations.sound import (
    GUESSED,
    LOSSLESS,
    PACKET_SAMPLES,
    SHALLOW,
    SUFFIXES,
    TOLERANCE_SECONDS,
    Work,
    seconds_of,
    track_of,
)
from uploads.operations.spans import within
from uploads.operations.tags import Tags, tags_of
from uploads.operations.times import parse_times

if TYPE_CHECKING:
    from uploads.operations.audio_split import SplitSound

MOST_PIECES = 500
# A rest shorter than this is no piece of its own.
LEAST_REST_SECONDS = 1.0
# A packet of any codec is shorter; a piece begins and ends with one.
PACKET_SECONDS = 0.1
# Encoders begin with some silence that players leave out; more than this is an edit.
MOST_HIDDEN_SECONDS = 0.25
# What can be copied, and the kind of file it goes into.
COPIED = {"mp3": "mp3", "mp3float": "mp3", "aac": "aac", "opus": "opus", "vorbis": "opus"}


def split(source: Path, step: "Context[SplitSound]") -> Iterator[Output]:
    """Write the pieces in their order; raises `InputError` for what has no such track."""
    media, sound = track_of(source, step)
    kind, copied = _format(source, sound, step)
    whole = sound.duration or media.duration or 0.0
    share = step.sample_share(whole)
    claimed = whole * share
    # Sound may begin later than its file. Cuts are counted from its own beginning; people, and
    # FFmpeg, count from the file's.
    late = max(0.0, sound.start - media.start)
    heard = _measure(source, step, sound, claimed, late, copied=copied)
    total = heard.seconds
    if total <= 0:
        raise InputError("media_damaged", name=step.name, reason="no sound in it can be decoded.")
    short = claimed - total > max(TOLERANCE_SECONDS, 0.01 * claimed)
    if short and media.container not in GUESSED:
        step.warn(f"The file ends at {clock(total)} of {clock(claimed)}.")
    tags = tags_of(source, step.name, kind)
    ends = [*_cuts(step, heard, late, tags.chapters), total]
    if len(ends) > MOST_PIECES:
        raise InputError(
            "too_many_pieces", name=step.name, count=f"{len(ends):,}", limit=MOST_PIECES
        )
    files = _copied(source, step, sound, ends, late) if copied else [step.path("samples.w64")]
    pieces = audio_split_named.named(
        ends, late, tags.chapters if step.options.by == "chapters" else ()
    )
    made_seconds = 0.0
    for place, output in enumerate(_made(source, step, sound, tags, pieces, files)):
        made_seconds += output.meta["duration"]
        output.meta["start"] = round(output.meta["start"] + late, 3)
        output.meta.update({"sample_share": round(share, 6)} if share < 1 else {})
        step.report(0.6 + 0.4 * (place + 1) / len(ends), f"{place + 1} of {len(ends)} pieces")
        yield output
    padded = max(0.05, 2 * PACKET_SAMPLES / max(1, sound.rate))
    if abs(made_seconds - total) > TOLERANCE_SECONDS + padded * len(ends):
        raise _differs(step, f"all pieces last {made_seconds:.2f} s instead of {total:.2f} s.")


def _reading(source: Path, step: "Context[SplitSound]", seconds: float) -> list[str]:
    """Return how FFmpeg reads the source, no more of it than so many seconds in a sample."""
    limit = [] if step.sample_seconds is None else ["-t", f"{seconds:.6f}"]
    return [*limit, *ffmpeg.reading(source)]


def _format(source: Path, sound: Sound, step: "Context[SplitSound]") -> tuple[str, bool]:
    """Return the format of the pieces, and whether packets are copied into it."""
    wanted = step.options.format
    if wanted != "same":
        return wanted, False
    if sound.codec in COPIED:
        hidden = hidden_sound(source, step.name, sound.index)
        if hidden > MOST_HIDDEN_SECONDS:
            step.log(f"An edit hides {hidden:.1f} s of it, which a copy would show: encoded again.")
        return COPIED[sound.codec], hidden <= MOST_HIDDEN_SECONDS
    if sound.codec.startswith("pcm_"):
        return "wav", False
    if LOSSLESS.match(sound.codec):
        return "flac", False
    step.log(f"{sound.codec} can't be cut without encoding it again: the pieces are MP3.")
    return "mp3", False


def _measure(
    source: Path,
    step: "Context[SplitSound]",
    sound: Sound,
    claimed: float,
    late: float,
    *,
    copied: bool,
) -> Measured:
    """Decode everything once: its length, its silences, and the samples where they are encoded."""
    heard = Measured()

    def progress(frames: int, seconds: float) -> None:
        heard.seconds = max(heard.seconds, seconds)
        step.report(0.5 * seconds / max(1.0, claimed), "listening")

    silence = meter.silence_below(step.options.silence)
    filters = silence if step.options.by == "silence" else "anull"
    reading = _reading(source, step, late + claimed)
    arguments = [*reading, "-map", f"0:{sound.index}", "-vn", "-af", filters]
    if copied:
        arguments += ["-f", "null", "-"]
    else:
        shallow = sound.sample_format in SHALLOW or not LOSSLESS.match(sound.codec)
        arguments += ["-map_metadata", "-1", "-c:a", "pcm_s16le" if shallow else "pcm_s24le"]
        arguments += ["-f", "w64", str(step.path("samples.w64"))]
    complaints = ffmpeg.run(
        arguments, name=step.name, limits=step.limits, progress=progress, heard=heard.hear
    )
    if complaints:
        step.warn("The source is damaged in places; listen to the pieces there.")
    heard.seconds -= late
    heard.silences = [[start - late, end - late] for start, end in heard.silences]
    if not copied:
        heard.seconds = seconds_of(step.path("samples.w64"), step.name)
    return heard


def _cuts(
    step: "Context[SplitSound]", heard: Measured, late: float, marked: Sequence[Chapter]
) -> list[float]:
    """Return where to cut, in seconds of the sound, in order; says what is left out."""
    options, total = step.options, heard.seconds
    if options.by == "chapters":
        return _at_chapters(step, [chapter.start - late for chapter in marked], total)
    if options.by == "length":
        apart = options.minutes * 60
        count = max(1, math.ceil((total - LEAST_REST_SECONDS) / apart))
        return [apart * place for place in range(1, count)]
    if options.by == "times":
        wanted = [time for time in parse_times(options.times, "times") if time > late]
        found = [time - late for time in wanted if time - late < total]
        lasts = clock(late + total)
        beyond_it = wanted[len(found) :] if step.sample_seconds is None else []
        for beyond in beyond_it:
            if not found:
                raise InputError(
                    "range_outside", name=step.name, start=clock(beyond), duration=lasts
                )
            step.warn(f"It lasts {lasts}: there is nothing to cut at {clock(beyond)}.")
        return found
    return _at_silences(step, heard)


def _at_chapters(step: "Context[SplitSound]", starts: list[float], total: float) -> list[float]:
    """Return the beginnings of chapters; one of a moment belongs to the one before it."""
    if not starts:
        step.warn("It has no chapters: it stays in one piece.")
    cuts: list[float] = []
    for start in starts:
        before = cuts[-1] if cuts else 0.0
        if min(start - before, total - start) >= LEAST_REST_SECONDS:
            cuts.append(start)
    return cuts


def _at_silences(step: "Context[SplitSound]", heard: Measured) -> list[float]:
    """Return the middles of the silences that are long enough and far enough apart."""
    options, total = step.options, heard.seconds
    cuts: list[float] = []
    for start, end in heard.silences:
        middle = (start + end) / 2
        within_it = start > 0.05 and end < total - 0.05 and end - start >= options.pause
        before = cuts[-1] if cuts else 0.0
        if within_it and min(middle - before, total - middle) >= options.shortest:
            cuts.append(middle)
    if not cuts:
        step.warn(f"No silence of {options.pause:g} s was found: it stays in one piece.")
    return cuts


def _copied(
    source: Path, step: "Context[SplitSound]", sound: Sound, ends: Sequence[float], late: float
) -> list[Path]:
    """Sort the packets into one file for each piece; every packet goes into one of them."""
    name = "piece-%04d.mka"

    def progress(frames: int, seconds: float) -> None:
        within(step, 0.5, 0.6).report(seconds / max(1.0, ends[-1]), "cutting")

    reading = _reading(source, step, late + ends[-1])
    arguments = [*reading, "-map", f"0:{sound.index}", "-c", "copy"]
    arguments += ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]
    arguments += ["-output_ts_offset", f"{-late:.6f}"]
    if len(ends) > 1:
        times = ",".join(f"{end:.6f}" for end in ends[:-1])
        arguments += ["-f", "segment", "-segment_times", times, "-segment_format", "matroska"]
        arguments += ["-reset_timestamps", "1", str(step.path(name))]
    else:
        arguments += ["-f", "matroska", str(step.path(name % 0))]
    ffmpeg.run(arguments, name=step.name, limits=step.limits, progress=progress)
    found = sorted(step.folder.glob("piece-*.mka"))
    if len(found) != len(ends):
        raise _differs(step, f"{len(found)} pieces instead of {len(ends)}.")
    return found


def _made(
    source: Path, step: "Context[SplitSound]", sound: Sound, tags: Tags,
    pieces: Sequence[Piece], files: Sequence[Path],
) -> Iterator[Output]:  # fmt: skip
    """Write each piece with its tags and number, and compare its length with what it should be."""
    copied = files[0].suffix == ".mka"
    encoder = ["-c:a", "copy"] if copied else _encoder(source, step, sound, tags.format)
    for place, piece in enumerate(pieces):
        target = step.path(f"source-{piece.name}{SUFFIXES[tags.format]}")
        reading = ffmpeg.reading(files[place] if copied else files[0])
        if not copied:
            reading = ["-ss", f"{piece.start:.6f}", "-t", f"{piece.seconds:.6f}", *reading]
        arguments = [*reading, *audio_split_named.tagged(source, step, tags, piece), *encoder]
        arguments += ["-fflags", "+bitexact", "-flags:a", "+bitexact", str(target)]
        ffmpeg.run(arguments, name=step.name, limits=step.limits)
        made = seconds_of(target, step.name)
        padded = max(PACKET_SECONDS, 2 * PACKET_SAMPLES / max(1, sound.rate))
        if abs(made - piece.seconds) > TOLERANCE_SECONDS + padded:
            reason = f"piece {piece.number} lasts {made:.2f} s instead of {piece.seconds:.2f} s."
            raise _differs(step, reason)
        meta = {"duration": round(made, 3), "start": round(piece.start, 3), "track": piece.number}
        yield Output(target, meta={**meta, "copied": copied})
        if copied:
            files[place].unlink()


def _encoder(source: Path, step: "Context[SplitSound]", sound: Sound, kind: str) -> list[str]:
    options = ConvertSound(format=kind)  # type: ignore[arg-type]
    work = Work(source, replace(step, options=options), sound, 0.0)  # type: ignore[arg-type]
    return [*(["-af", ",".join(work.filters)] if work.filters else []), *work.encoder()]


def _differs(step: "Context[SplitSound]", reason: str) -> StepError:
    return StepError("verification_failed", name=step.name, reason=reason)
