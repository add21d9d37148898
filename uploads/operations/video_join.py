"""Makes one video of encoded parts, sound and subtitles, and checks it before it is shown."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.errors import StepError
from uploads.operations import ffmpeg, video_mux
from uploads.operations.base import Context, Json, Output, PartResult
from uploads.operations.probe import clock, opened

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

POSTER_WIDTH = 640
# Sound and picture may start this much further apart than in the source: some decoders leave out the
# first packet, and encoders begin with one of silence. The largest have so many samples.
OFFSET_SECONDS, PACKET_SAMPLES = 0.05, 2048
# Matroska counts time in milliseconds.
CLOCK_SECONDS = 0.002


@dataclass(frozen=True)
class Made:
    """What the finished file holds: pictures, and seconds from its start."""

    frames: int
    picture_start: float
    picture_end: float
    sound_start: float | None


def join(source: Path, step: "Context[Transcode]", parts: Sequence[PartResult]) -> Iterator[Output]:
    """Make the final file and its poster; raises `StepError` when the check finds a difference."""
    first = parts[0].params
    target = step.path("source" + first["suffix"])
    made_of = video_mux.sort(parts)
    copied = first["kind"] == "copy"
    if copied:
        shutil.copyfile(made_of.pictures[0][1], target)
    else:
        video_mux.write(source, target, step, first, made_of)
    made = measure(target, step.name)
    step.report(0.9, "checking")
    damaged = any(meta.get("damaged") for part in parts for meta in part.meta)
    _check(made, made_of, step, damaged=damaged, size=target.stat().st_size)
    if damaged:
        step.warn("The source is damaged in places; look at the result there.")
    meta = _meta(source, first, made)
    if copied:
        saved = first["saved_seconds"]
        step.log(
            f"Already as wanted: copied without encoding, which saved about {clock(saved)} of work."
        )
        meta |= {"copied": True, "saved_seconds": saved}
    yield Output(target, meta=meta)
    yield from _texts(step, made_of)
    yield poster(target, step, made, (first["width"], first["height"]))


def _meta(source: Path, shape: Json, made: Made) -> Json:
    return {
        "width": shape["width"],
        "height": shape["height"],
        "duration": round(made.picture_end - made.picture_start, 3),
        "frames": made.frames,
        "source_width": shape["source_width"],
        "source_height": shape["source_height"],
        "source_bytes": source.stat().st_size,
        **{key: shape[key] for key in ("sample_share",) if key in shape},
    }


def _texts(step: "Context[Transcode]", made_of: video_mux.Sorted) -> Iterator[Output]:
    """Hand on the subtitles that are files of their own, named by their languages."""
    if step.options.subtitles != "extract":
        return
    known: set[str] = set()
    for meta, path in made_of.subtitles:
        if not path.stat().st_size:
            step.log(f"The subtitle track {meta['language']} is empty: left out.")
            continue
        label = meta["language"] or "subtitles"
        label = label if label not in known else f"{label}-{meta['subtitle']}"
        known.add(label)
        target = step.path(f"source.{label}.srt")
        shutil.copyfile(path, target)
        yield Output(target, meta={"language": meta["language"]})


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


def _check(
    made: Made,
    made_of: video_mux.Sorted,
    step: "Context[Transcode]",
    *,
    damaged: bool,
    size: int,
) -> None:
    """Compare with what was promised: bytes, pictures, length within one picture, sound offset."""
    params, name = [params for params, _ in made_of.pictures], step.name
    if step.options.size_mb and size > step.options.size_mb * 1e6:
        step.warn(f"It has {size / 1e6:.1f} MB; smaller was not possible.")
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
    if abs(found - length) > one + CLOCK_SECONDS:
        raise _differs(name, f"{found:.3f} s long instead of {length:.3f} s.")
    if made.sound_start is not None and params[0]["sounds"]:
        apart = made.picture_start - made.sound_start
        sound = params[0]["sounds"][0]
        promised = (params[0]["start"] - params[0]["origin"]) * base - sound["start"]
        allowed = max(OFFSET_SECONDS, 1.5 * PACKET_SAMPLES / max(1, sound.get("hertz", 48_000)))
        if abs(apart - promised) > allowed:
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
