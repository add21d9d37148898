"""Keeps a video's subtitles as tracks, or writes them as files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.operations import ffmpeg
from uploads.operations.base import Context, Json, Output

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

# What each kind of file holds; MKV takes everything as it is.
ENCODERS = {"mp4": "mov_text", "webm": "webvtt", "mkv": "copy"}
PART_SUFFIXES = {"mp4": ".mp4", "webm": ".mkv", "mkv": ".mkv"}


def make(source: Path, step: "Context[Transcode]", part: Json) -> Iterator[Output]:
    """Write each kept track into a file of its own: a part of the result, or SRT text."""
    for place, track in enumerate(part["subtitles"]):

        def progress(frames: int, seconds: float, done: int = place) -> None:
            share = min(1.0, seconds / max(0.1, part["duration"]))
            step.report((done + share) / len(part["subtitles"]), "subtitles")

        alone = step.options.subtitles == "extract"
        suffix = ".srt" if alone else PART_SUFFIXES[step.options.container]
        target = step.path(f"subtitles-{track['index']}{suffix}")
        arguments = [*reading(source, part), "-map", f"0:{track['index']}", "-vn", "-an", "-dn"]
        arguments += ["-map_metadata", "-1", "-map_chapters", "-1", "-c:s"]
        arguments += ["srt" if alone else encoder(step, track)]
        ffmpeg.run([*arguments, str(target)], name=step.name, limits=step.limits, progress=progress)
        meta = {"subtitle": track["index"], "language": track["language"]}
        yield Output(target, meta=meta)


def encoder(step: "Context[Transcode]", track: Json) -> str:
    """Return FFmpeg's encoder for a track that is kept."""
    chosen = ENCODERS[step.options.container]
    return "srt" if chosen == "copy" and track["codec"] in {"mov_text", "text"} else chosen


def reading(source: Path, part: Json) -> list[str]:
    """Return the arguments that open the source at the part's window, if it has one."""
    window: list[str] = []
    if part["window"]:
        begin, end = part["window"]
        window = ["-ss", f"{begin:.6f}", "-t", f"{end - begin:.6f}"]
    return [*window, *ffmpeg.reading(source)]
