"""Encodes one part of a video with FFmpeg: a segment, the sound, the whole, or a plain copy.

A segment's pictures are named by ticks of the source, and the part counts
what it made: a part that returns has exactly the pictures its plan promised,
or says that the source is damaged there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError
from uploads.operations import ffmpeg
from uploads.operations.base import Context, Json, Output
from uploads.operations.probe import opened

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

# Seconds before the cut at which reading starts: open groups of pictures need some.
PREROLLS: tuple[float | None, ...] = (0.0, 1.0, 4.0, 15.0, None)
# A seek to the very tick lands one key frame early by rounding, which costs a third more.
SEEK_MARGIN_SECONDS = 0.010
# A part of which less can be decoded is no result, not even with a warning.
DECODABLE_SHARE = 0.5
COPYABLE_SOUNDS = {"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "flac", "opus"}


def encode(source: Path, step: "Context[Transcode]", part: Json) -> Iterator[Output]:
    """Make the files of one part; `meta` says their number of pictures and any damage."""
    if part["kind"] == "sound":
        yield _sound(source, step, part["sound"], 0.0, 1.0)
    elif part["kind"] == "copy":
        yield _copy(source, step, part)
    elif part["kind"] == "segment":
        yield _pictures(source, step, part, 0.0, 1.0)
    else:
        yield _pictures(source, step, part, 0.0, 0.9 if part["sound"] else 1.0)
        if part["sound"]:
            yield _sound(source, step, part["sound"], 0.9, 1.0)


def count_pictures(path: Path, name: str) -> int:
    """Return how many pictures a finished part holds."""
    with opened(path, name) as container:
        if not container.streams.video:  # FFmpeg was given none to write
            return 0
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _pictures(
    source: Path, step: "Context[Transcode]", part: Json, low: float, high: float
) -> Output:
    """Encode the pictures of one part; reads from further back until the count is right."""
    target = step.path(f"part-{part['start'] or 0}.mp4")
    expected = part["frames"]
    found = -1
    for preroll in PREROLLS if part["start"] is not None else (None,):

        def progress(frames: int, seconds: float) -> None:
            step.report(low + (high - low) * min(1.0, frames / max(1, expected)))

        arguments = _arguments(source, step, part, preroll)
        complaints = ffmpeg.run(
            [*arguments, str(target)], name=step.name, limits=step.limits, progress=progress
        )
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


def _arguments(
    source: Path, step: "Context[Transcode]", part: Json, preroll: float | None
) -> list[str]:
    options = step.options
    numerator, denominator = part["base"]
    one_of_many = part["kind"] == "segment"
    arguments = ["-filter_threads", "1"] if one_of_many else []
    seeking = part["start"] is not None
    if seeking:
        base = numerator / denominator
        if preroll is not None and part["start"] > part["offset"]:
            at = part["start"] * base + SEEK_MARGIN_SECONDS - preroll
            arguments += ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{at:.6f}"]
        arguments += ["-to", f"{part['end'] * base + 1:.6f}", "-copyts"]
    # Two decoding threads feed one encoding thread; more would only take memory.
    arguments += ["-threads", "2"] if one_of_many else []
    arguments += [*ffmpeg.reading(source), "-map", f"0:{part['stream']}"]
    arguments += ["-an", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"]
    arguments += ["-vf", _filters(options, part)]
    arguments += ["-fps_mode", "passthrough" if seeking else "vfr"]
    if seeking:
        arguments += ["-enc_time_base", ffmpeg.demux_time_base(step.limits)]
        arguments += ["-frames:v", str(part["frames"])]
        arguments += ["-video_track_timescale", str(denominator)]
    arguments += ["-c:v", "libx264", "-preset", options.speed, "-crf", str(options.quality)]
    arguments += ["-threads", "1"] if one_of_many else []
    return [*arguments, "-pix_fmt", "yuv420p"]


def _filters(options: "Transcode", part: Json) -> str:
    filters: list[str] = []
    if part["interlaced"]:
        # The deinterlacer counts time in half ticks; the parts are cut in whole ones.
        numerator, denominator = part["base"]
        filters.append(f"bwdif=mode=send_frame:deint=interlaced,settb={numerator}/{denominator}")
    if part["start"] is not None:
        filters.append(f"trim=start_pts={part['start']}:end_pts={part['end']}")
        if part["pace"] is not None:
            slot = f"floor((pts-{part['offset']})*{part['pace']!r})"
            before = f"floor((prev_pts-{part['offset']})*{part['pace']!r})"
            first = int(part["first"])
            filters.append(f"select='if(eq(n,0),{first},gt({slot},{before}))'")
        filters.append(f"setpts=PTS-{part['start']}")
    elif options.frame_rate:
        filters.append(f"fps=fps='min(source_fps,{options.frame_rate})'")
    if part["scale"]:
        filters.append(f"scale={part['width']}:{part['height']},setsar=1")
    if part["transfer"]:
        filters.append(ffmpeg.SDR)
    return ",".join(filters) or "null"


def _sound(
    source: Path, step: "Context[Transcode]", sound: Json, low: float, high: float
) -> Output:
    """Make the whole sound track at once: encoders put silence at the start of each piece."""
    target = step.path("sound.mp4")
    total = max(0.1, sound["duration"])

    def progress(frames: int, seconds: float) -> None:
        step.report(low + (high - low) * min(1.0, seconds / total), "sound")

    copied = step.options.audio == "copy" and sound["codec"] in COPYABLE_SOUNDS
    if step.options.audio == "copy" and not copied:
        step.log(f"The sound ({sound['codec']}) does not fit into an MP4: converted to AAC.")
    how = ["copy"] if copied else _aac(step.options, sound)
    arguments = [*ffmpeg.reading(source), "-map", f"0:{sound['index']}", "-vn", "-sn", "-dn"]
    arguments += ["-map_metadata", "-1", "-map_chapters", "-1", "-c:a", *how, str(target)]
    complaints = ffmpeg.run(arguments, name=step.name, limits=step.limits, progress=progress)
    return Output(target, meta={"sound": True, "damaged": bool(complaints)})


def _aac(options: "Transcode", sound: Json) -> list[str]:
    stereo = ["-ac", "2"] if sound["surround"] else []
    return ["aac", "-b:a", f"{options.audio_rate}k", *stereo]


def _copy(source: Path, step: "Context[Transcode]", part: Json) -> Output:
    """Put the tracks of a video that already fits into a new MP4, without encoding pictures."""
    target = step.path("copy.mp4")

    def progress(frames: int, seconds: float) -> None:
        step.report(min(1.0, frames / max(1, part["frames"])), "copying")

    options, sound = step.options, part["sound"]
    arguments = [*ffmpeg.reading(source), "-map", f"0:{part['stream']}", "-c:v", "copy"]
    if sound:
        kept = sound["codec"] == "aac" or (
            options.audio == "copy" and sound["codec"] in COPYABLE_SOUNDS
        )
        how = ["copy"] if kept else _aac(options, sound)
        arguments += ["-map", f"0:{sound['index']}", "-c:a", *how]
    arguments += ["-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"]
    arguments += ["-movflags", "+faststart"] if options.faststart else []
    complaints = ffmpeg.run(
        [*arguments, str(target)], name=step.name, limits=step.limits, progress=progress
    )
    frames = count_pictures(target, step.name)
    return Output(target, meta={"frames": frames, "damaged": bool(complaints)})
