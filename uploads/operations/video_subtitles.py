"""Keeps a video's subtitles as tracks, writes them as files, or prepares them to be burnt in."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import StepError
from uploads.operations import ffmpeg
from uploads.operations.base import Context, Json, Output

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

# What each kind of file holds; MKV takes everything as it is.
ENCODERS = {"mp4": "mov_text", "webm": "webvtt", "mkv": "copy"}
PART_SUFFIXES = {"mp4": ".mp4", "webm": ".mkv", "mkv": ".mkv"}
# A subtitle that began so long before a part's first picture may still be shown there.
LONGEST_SHOWN_SECONDS = 60.0
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
FONT_SUFFIXES = {".ttf", ".otf", ".ttc", ".pfb"}
BURNT = "burnt.ass"


def make(source: Path, step: "Context[Transcode]", part: Json) -> Iterator[Output]:
    """Write each kept track into a file of its own: a part of the result, or SRT text."""
    for place, track in enumerate(part["subtitles"]):

        def progress(frames: int, seconds: float, done: int = place) -> None:
            share = min(1.0, seconds / max(0.1, part["duration"]))
            step.report((done + share) / len(part["subtitles"]), "subtitles")

        alone = step.options.subtitles == "extract"
        suffix = ".srt" if alone else PART_SUFFIXES[step.options.container]
        target = step.path(f"subtitles-{track['index']}{suffix}")
        arguments = [*_reading(source, part), "-map", f"0:{track['index']}", "-vn", "-an", "-dn"]
        arguments += ["-map_metadata", "-1", "-map_chapters", "-1", "-c:s"]
        arguments += ["srt" if alone else encoder(step, track)]
        ffmpeg.run([*arguments, str(target)], name=step.name, limits=step.limits, progress=progress)
        meta = {"subtitle": track["index"], "language": track["language"]}
        yield Output(target, meta=meta)


def encoder(step: "Context[Transcode]", track: Json) -> str:
    """Return FFmpeg's encoder for a track that is kept."""
    chosen = ENCODERS[step.options.container]
    return "srt" if chosen == "copy" and track["codec"] in {"mov_text", "text"} else chosen


def _reading(source: Path, part: Json) -> list[str]:
    window: list[str] = []
    if part["window"]:
        begin, end = part["window"]
        window = ["-ss", f"{begin:.6f}", "-t", f"{end - begin:.6f}"]
    return [*window, *ffmpeg.reading(source)]


def refuse_without_fonts(name: str) -> None:
    """Raise `StepError` when the server has no font: then nothing at all would be drawn."""
    for folder in FONT_FOLDERS:
        for path in Path(folder).rglob("*"):
            if path.suffix.lower() in FONT_SUFFIXES:
                return
    reason = f"no font is installed on the server, so the subtitles of {name} can't be drawn."
    raise StepError("tool_failed", tool="FFmpeg", reason=reason)


def prepare_burning(source: Path, step: "Context[Transcode]", part: Json) -> str:
    """Write the subtitles around a part's pictures to a file; return the filter that draws them.

    FFmpeg's `subtitles` filter opens the file that it is told itself, without the limits of
    `reading`; so it never gets the owner's. It must run in the step's folder.
    """
    arguments = _reading(source, part)
    if part["start"] is not None:
        base = part["base"][0] / part["base"][1]
        begin = max(0.0, part["start"] * base - LONGEST_SHOWN_SECONDS)
        seeking = ["-seek_timestamp", "1", "-ss", f"{begin:.6f}"] if begin else []
        until = f"{part['end'] * base + 1:.6f}"
        arguments = [*seeking, "-to", until, "-copyts", *ffmpeg.reading(source)]
    arguments += ["-map", f"0:{part['burnt']['index']}", "-c:s", "ass"]
    target = step.path(BURNT)
    ffmpeg.run([*arguments, str(target)], name=step.name, limits=step.limits)
    return f"subtitles=filename={BURNT}"
