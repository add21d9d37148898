"""Chooses a video's sound tracks and makes each one whole: copied, or encoded and evenly loud."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from uploads.errors import InputError
from uploads.operations import ffmpeg, meter
from uploads.operations.base import Context, Json, Output
from uploads.operations.meter import Measured
from uploads.operations.probe import Media, Sound

if TYPE_CHECKING:
    from pathlib import Path

    from uploads.operations.video import Transcode

COPYABLE = {
    "mp4": {"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "flac", "opus"},
    "webm": {"opus", "vorbis"},
}
# A part is an MP4, which counts sound in samples; what that can't hold goes into a Matroska file.
PART_SUFFIXES = {True: ".mp4", False: ".mka"}
ENCODERS = {"aac": "aac", "opus": "libopus", "mp3": "libmp3lame"}
MOST_RATES = {"aac": 512, "opus": 510, "mp3": 320}
# True peaks stay below this when the loudness is changed.
HIGHEST_PEAK_DBTP = -1.0
# The share of the work that measuring the loudness takes.
MEASURING = 0.4


def tracks(media: Media, step: "Context[Transcode]") -> list[Json]:
    """Return the sound tracks that are kept, in the order asked for; says which are missing."""
    options = step.options
    known = [sound for sound in media.sounds if sound.codec != "unknown"]
    if not known or options.audio == "drop":
        return []
    wanted = options.audio_tracks or range(1, len(known) + 1)
    missing = [number for number in wanted if number > len(known)]
    if missing and len(missing) == len(wanted):
        count = "it has one." if len(known) == 1 else f"it has {len(known)}."
        raise InputError("no_audio_stream", name=step.name, reason=count)
    if missing:
        step.log(f"It has {len(known)} sound tracks: there is no track {missing[0]}.")
    chosen = dict.fromkeys(number for number in wanted if number <= len(known))
    return [_track(known[number - 1], media, options) for number in chosen]


def _track(sound: Sound, media: Media, options: "Transcode") -> Json:
    return {
        "index": sound.index,
        "codec": sound.codec,
        "becomes": _becomes(sound, options),
        "surround": sound.channels > 2,
        "language": sound.language,
        "start": sound.start - media.start,
        "duration": media.duration,
        "hertz": sound.rate,
        "rate": options.audio_rate,
    }


def _becomes(sound: Sound, options: "Transcode") -> str:
    """Return the codec that a track comes out in, or "copy"."""
    plain = "opus" if options.container == "webm" else "aac"
    if options.audio == "copy" and options.loudness is None:
        holds = COPYABLE.get(options.container)
        if holds is None or sound.codec in holds:
            return "copy"
    return plain if options.audio in {"auto", "copy"} else options.audio


def bits_of(sound: Json) -> float:
    """Return the bits a second that a track is likely to have."""
    return float(sound["rate"]) * 1000


def encode(
    source: "Path",
    step: "Context[Transcode]",
    sound: Json,
    span: tuple[float, float],
    writing: Sequence[str] = (),
) -> Output:
    """Make the whole sound track at once: encoders put silence at the start of each piece.

    `writing` is what else FFmpeg is told about the file.
    """
    low, high = span
    filters = ["aformat=channel_layouts=stereo"] if sound["surround"] else []
    if step.options.loudness is not None:
        middle = low + (high - low) * MEASURING
        filters += _levelled(source, step, sound, filters, (low, middle))
        low = middle
    target = step.path(f"sound-{sound['index']}{PART_SUFFIXES[_in_mp4(sound)]}")
    arguments = [*reading(source, sound), "-map", f"0:{sound['index']}", "-vn", "-sn", "-dn"]
    arguments += ["-map_metadata", "-1", "-map_chapters", "-1"]
    if step.options.audio == "copy" and sound["becomes"] != "copy":
        fits = (
            f"into {step.options.size_mb:g} MB"
            if step.options.size_mb
            else "into this kind of file"
        )
        step.log(f"The sound ({sound['codec']}) was converted, to fit {fits}.")
    arguments += encoder(sound, filters)
    progress = _progress(step, sound, (low, high), "sound")
    complaints = ffmpeg.run(
        [*arguments, *writing, str(target)], name=step.name, limits=step.limits, progress=progress
    )
    return Output(target, meta={"sound": sound["index"], "damaged": bool(complaints)})


def _in_mp4(sound: Json) -> bool:
    return sound["becomes"] != "copy" or sound["codec"] in COPYABLE["mp4"]


def reading(source: "Path", sound: Json) -> list[str]:
    """Return the arguments that open the source, at the window if only that is wanted."""
    window: list[str] = []
    if sound.get("window"):
        begin, end = sound["window"]
        window = ["-ss", f"{begin:.6f}", "-t", f"{end - begin:.6f}"]
    return [*window, *ffmpeg.reading(source)]


def encoder(sound: Json, filters: list[str]) -> list[str]:
    """Return the arguments that encode or copy a track."""
    if sound["becomes"] == "copy":
        return ["-c:a", "copy"]
    kind = sound["becomes"]
    arguments = ["-af", ",".join(filters)] if filters else []
    return [*arguments, "-c:a", ENCODERS[kind], "-b:a", f"{min(sound['rate'], MOST_RATES[kind])}k"]


def _levelled(
    source: "Path",
    step: "Context[Transcode]",
    sound: Json,
    before: list[str],
    span: tuple[float, float],
) -> list[str]:
    """Decode the track once for its loudness; return the filters that make it the wanted one."""
    measured = Measured()
    arguments = [*reading(source, sound), "-map", f"0:{sound['index']}"]
    arguments += ["-af", ",".join([*before, meter.LOUDNESS]), "-f", "null", "-"]
    progress = _progress(step, sound, span, "measuring the loudness")
    ffmpeg.run(
        arguments, name=step.name, limits=step.limits, progress=progress, heard=measured.hear
    )
    wanted = float(step.options.loudness or 0)
    if measured.silent:
        step.log("The sound is silent; its loudness was left as it is.")
        return []
    turned = meter.levelled(measured, wanted, HIGHEST_PEAK_DBTP)
    return [turned, "aresample=48000"] if turned.startswith(meter.COMPRESSOR) else [turned]


def _progress(
    step: "Context[Transcode]", sound: Json, span: tuple[float, float], note: str
) -> ffmpeg.Progress:
    low, high = span
    total = max(0.1, sound["duration"])

    def progress(frames: int, seconds: float) -> None:
        step.report(low + (high - low) * min(1.0, seconds / total), note)

    return progress
