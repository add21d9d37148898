"""Cuts ranges out of a video: exact ones are encoded, others copied from the key frame before.

What comes out is counted: the pictures between both times, as the source's packets tell them.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from uploads.errors import InputError, StepError
from uploads.operations import ffmpeg, video_join, video_shape
from uploads.operations.base import Context, Json, Output, Part, PartResult
from uploads.operations.packets import Index, read_index, refuse_truncated
from uploads.operations.probe import Media, Picture, clock, probe
from uploads.operations.times import Range, label, parse_ranges
from uploads.operations.video_encode import count_pictures
from uploads.operations.video_sound import COPYABLE

if TYPE_CHECKING:
    from uploads.operations.clip import Clip

# What an MP4 holds and players know; other tracks are copied into an MKV.
MP4_PICTURES = {"h264", "hevc", "av1", "vp9", "mpeg4"}
SOUND = ["-c:a", "aac", "-b:a", "160k"]
COPY_BYTES_PER_SECOND = 200e6
# Pictures at a copy's end wait for later ones: so many may be there too, or missing.
REORDERED = 4
# A range that has less sound than this has none.
LEAST_SOUND_SECONDS = 0.05


@dataclass(frozen=True)
class _Video:
    """What the plan knows of the source: its facts, and the seconds of all pictures and key frames."""

    media: Media
    picture: Picture
    times: list[float]
    keys: list[float]
    seconds: float
    heard: tuple[float, float] | None


def plan(source: Path, step: "Context[Clip]") -> list[Part]:
    """Return a part for each range, or one for all that are joined.

    Raises `InputError` for what is no video or ends before every range; leaves out, with a
    warning, the ranges that start after its end.
    """
    video = _look(source, step)
    wanted = _within(video, parse_ranges(step.options.ranges, "ranges"), step)
    shape = _shape(video, step)
    cuts = [_cut(video, one, step) for one in wanted]
    groups = [cuts] if step.options.joined else [[cut] for cut in cuts]
    memory = video_shape.memory_bytes(video.picture, shape)
    return [
        Part(
            {"cuts": group, **shape},
            weight=_weight(video, group, shape, step, source),
            memory_bytes=memory,
        )
        for group in groups
    ]


def _look(source: Path, step: "Context[Clip]") -> _Video:
    media = probe(source, step.name, step.limits)
    if media.picture is None:
        raise InputError("no_video_stream", name=step.name)
    index: Index = read_index(source, media, step)
    refuse_truncated(index, step.name)
    base = float(media.picture.time_base)
    times = [] if index.untimed else [time * base - media.start for time in index.times]
    keys = [time * base - media.start for time in index.keys]
    seconds = max(media.duration, index.end * base - media.start)
    return _Video(media, media.picture, times, keys, seconds, _heard(media))


def _heard(media: Media) -> tuple[float, float] | None:
    """Return the seconds between which there is sound; None where there is none."""
    known = [sound for sound in media.sounds if sound.codec != "unknown"]
    if not known:
        return None
    start = known[0].start - media.start
    return start, start + (known[0].duration or math.inf)


def _within(video: _Video, wanted: list[Range], step: "Context[Clip]") -> list[Range]:
    """Return the ranges that begin before the end, cut off there."""
    lasts = clock(video.seconds)
    inside = [Range(r.start, min(r.end, video.seconds)) for r in wanted if r.start < video.seconds]
    if not inside:
        first = clock(wanted[0].start)
        raise InputError("range_outside", name=step.name, start=first, duration=lasts)
    for left in wanted:
        if left.start >= video.seconds:
            step.warn(f"It lasts {lasts}: there is nothing to cut at {clock(left.start)}.")
    return inside


def _shape(video: _Video, step: "Context[Clip]") -> Json:
    picture = video.picture
    width, height = video_shape.scaled(picture, step.options.height, None)
    sounds = [sound for sound in video.media.sounds if sound.codec != "unknown"]
    sound = sounds[0] if sounds and step.options.audio == "keep" else None
    return {
        "stream": picture.index,
        "codec": picture.codec,
        "width": width,
        "height": height,
        "scale": (width, height) != (picture.width, picture.height) or not picture.square,
        "interlaced": picture.interlaced,
        "transfer": picture.transfer,
        "sound": sound.index if sound else None,
        "sound_codec": sound.codec if sound else "",
        "surround": bool(sound and sound.channels > 2),
    }


def _cut(video: _Video, wanted: Range, step: "Context[Clip]") -> Json:
    """Return one range with the number of pictures it must give, or None where that is unknown."""
    start, copied = wanted.start, step.options.mode == "keyframes"
    if copied:
        start = max((key for key in video.keys if key <= wanted.start + 0.001), default=0.0)
        if video.times and start < video.times[0]:
            step.log(f"{clock(wanted.start)} builds on pictures that an edit has hidden: encoded.")
            start, copied = wanted.start, False
    frames = sum(start <= time < wanted.end for time in video.times) if video.times else None
    cut = {"start": wanted.start, "end": wanted.end, "from": start, "frames": frames}
    before = sum(time < wanted.end for time in video.times)
    first, last = video.heard or (math.inf, 0.0)
    heard = first < wanted.end - LEAST_SOUND_SECONDS and last > start + LEAST_SOUND_SECONDS
    return {**cut, "copied": copied, "most": before, "heard": heard}


def _weight(
    video: _Video, cuts: list[Json], shape: Json, step: "Context[Clip]", source: Path
) -> float:
    seconds = sum(cut["end"] - cut["from"] for cut in cuts)
    if cuts[0]["copied"]:
        share = seconds / max(0.1, video.seconds)
        return float(0.2 + share * source.stat().st_size / COPY_BYTES_PER_SECOND)
    rate = len(video.times) / max(0.1, video.seconds) if video.times else 30
    return 0.3 + video_shape.seconds_of(
        video.picture, shape, round(seconds * rate), step.options.speed
    )


def cut(source: Path, step: "Context[Clip]", part: Json) -> Iterator[Output]:
    """Make the file of one part, check its pictures, and take a poster."""
    part = _complete(part, step)
    copied = part["cuts"][0]["copied"]
    target = step.path(_name(part))
    counts = [cut["frames"] for cut in part["cuts"]]
    expected = None if None in counts else sum(counts)
    for careful in (False,) if copied else (False, True):
        arguments = _copying(source, part) if copied else _encoding(source, step, part, careful)
        _run(arguments, target, step, part)
        found = count_pictures(target, step.name)
        spare = REORDERED if copied else len(part["cuts"])
        if expected is None or abs(found - expected) <= spare:
            break
        # Some containers are sought by a coarse index: then it begins at an earlier key frame.
        if copied and expected < found <= part["cuts"][0]["most"] + spare:
            break
    else:
        reason = f"{found} pictures instead of {expected}."
        raise StepError("verification_failed", name=step.name, reason=reason)
    if found == 0:
        reason = "there is no picture in that range."
        raise InputError("media_damaged", name=step.name, reason=reason)
    made = video_join.measure(target, step.name)
    seconds = made.picture_end - made.picture_start
    meta: Json = {"duration": round(seconds, 3), "frames": found, "copied": copied}
    size = (part["width"], part["height"])
    if copied:
        first = part["cuts"][0]
        early = max(first["start"] - first["from"], seconds - (first["end"] - first["start"]))
        if early > 0.05:
            at = clock(first["start"])
            step.log(f"It starts {early:.1f} s early, at the key frame before {at}.")
    yield Output(target, meta={**meta, "width": size[0], "height": size[1]})
    yield video_join.poster(target, step, made, size, f"{_stem(part)}-poster.jpg")


def _complete(part: Json, step: "Context[Clip]") -> Json:
    """Return a part with all that is asked of it: one that version 1 planned says less."""
    usual = {"copied": step.options.mode == "keyframes", "heard": True, "most": 0}
    return {**part, "cuts": [{**usual, **cut} for cut in part["cuts"]]}


def collect(step: "Context[Clip]", parts: Sequence[PartResult]) -> Iterator[Output]:
    """Hand on what the parts made, in the order of the ranges, the pictures as previews."""
    for part in parts:
        stem, clip = _stem(part.params), part.paths[0]
        yield _kept(step, clip, f"{stem}{clip.suffix}", part.meta[0], "result")
        yield _kept(step, part.paths[1], f"{stem}-poster.jpg", part.meta[1], "preview")


def _kept(
    step: "Context[Clip]", made: Path, name: str, meta: Json, role: Literal["result", "preview"]
) -> Output:
    target = step.path(name)
    shutil.copyfile(made, target)
    return Output(target, role=role, meta=dict(meta))


def _name(part: Json) -> str:
    fits = part["codec"] in MP4_PICTURES and (
        part["sound"] is None or part["sound_codec"] in COPYABLE["mp4"]
    )
    suffix = ".mp4" if fits or not part["cuts"][0]["copied"] else ".mkv"
    return _stem(part) + suffix


def _stem(part: Json) -> str:
    """Return a file's name by its times: `source-0m30s-1m15s`, or `source-clips` of many."""
    cuts = part["cuts"]
    if len(cuts) > 1:
        return f"source-{len(cuts)}-clips"
    return f"source-{label(cuts[0]['start'])}-{label(cuts[0]['end'])}"


def _run(arguments: list[str], target: Path, step: "Context[Clip]", part: Json) -> None:
    total = sum(cut["end"] - cut["from"] for cut in part["cuts"])

    def progress(frames: int, seconds: float) -> None:
        step.report(0.95 * min(1.0, seconds / max(0.1, total)), "cutting")

    arguments = [*arguments, "-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]
    if target.suffix == ".mp4":
        arguments += ["-movflags", "+faststart"]
    arguments += ["-fflags", "+bitexact", str(target)]
    ffmpeg.run(arguments, name=step.name, limits=step.limits, progress=progress)


def _copying(source: Path, part: Json) -> list[str]:
    (cut,) = part["cuts"]
    # FFmpeg takes the key frame before; a hair later, for a key frame's own time is rounded.
    arguments = ["-ss", f"{cut['from'] + 0.001:.6f}", "-to", f"{cut['end']:.6f}"]
    arguments += [*ffmpeg.reading(source), "-map", f"0:{part['stream']}"]
    if part["sound"] is not None:
        arguments += ["-map", f"0:{part['sound']}"]
    return [*arguments, "-c", "copy", "-avoid_negative_ts", "make_zero"]


def _encoding(source: Path, step: "Context[Clip]", part: Json, careful: bool) -> list[str]:
    """Return the arguments that encode all cuts of a part one after another.

    `careful` decodes from the very start: some containers can't be sought exactly.
    """
    arguments: list[str] = []
    graph: list[str] = []
    joints = ""
    heard = int(part["sound"] is not None and any(cut["heard"] for cut in part["cuts"]))
    for number, cut in enumerate(part["cuts"]):
        if not careful:
            arguments += ["-ss", f"{cut['start']:.6f}", "-t", f"{cut['end'] - cut['start']:.6f}"]
        arguments += ffmpeg.reading(source)
        pictures, sounds = _chain(part, cut, careful)
        graph.append(f"[{number}:{part['stream']}]{pictures}[v{number}]")
        joints += f"[v{number}]"
        if heard:
            silence = f"anullsrc,atrim=end={cut['end'] - cut['start']:.6f}"
            track = f"[{number}:{part['sound']}]{sounds}" if cut["heard"] else silence
            graph.append(f"{track}[a{number}]")
            joints += f"[a{number}]"
    graph.append(f"{joints}concat=n={len(part['cuts'])}:v=1:a={heard}[v]" + "[a]" * heard)
    arguments += ["-filter_complex", ";".join(graph), "-map", "[v]"]
    arguments += (
        ["-map", "[a]", *SOUND, *(["-ac", "2"] if part["surround"] else [])] if heard else []
    )
    arguments += ["-c:v", "libx264", "-preset", step.options.speed]
    arguments += ["-crf", str(step.options.quality)]
    return [*arguments, "-pix_fmt", "yuv420p", "-fps_mode", "vfr"]


def _chain(part: Json, cut: Json, careful: bool) -> tuple[str, str]:
    """Return the filters of pictures and sound."""
    pictures: list[str] = []
    sounds: list[str] = []
    if careful:
        times = f"start={cut['start']:.6f}:end={cut['end']:.6f}"
        pictures.append(f"trim={times},setpts=PTS-{cut['start']:.6f}/TB")
        sounds.append(f"atrim={times},asetpts=PTS-{cut['start']:.6f}/TB")
    if part["interlaced"]:
        pictures.append(ffmpeg.DEINTERLACE)
    if part["scale"]:
        pictures.append(f"scale={part['width']}:{part['height']},setsar=1")
    if part["transfer"]:
        pictures.append(ffmpeg.SDR)
    pictures.append("setpts=PTS-STARTPTS")
    # Sound that begins later than the picture keeps its distance.
    sounds.append("aresample=async=1:first_pts=0")
    return ",".join(pictures), ",".join(sounds)
