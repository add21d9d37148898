"""Plans a ladder of qualities and makes its parts: one piece of the video in all qualities at once.

Each part's files can be played as they are: their fragments tell the time of the whole. So a
playlist may list them as soon as the part is done, and the join has only to put bytes together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError
from uploads.operations import ffmpeg, video_encode, video_filters, video_sound
from uploads.operations.base import Context, Json, Output, Part
from uploads.operations.fragments import read_fragments
from uploads.operations.playlists import SOUND, Segment, media
from uploads.operations.probe import Picture, opened
from uploads.operations.video import Transcode
from uploads.operations.video_codecs import Encoding
from uploads.operations.video_plan import Cut, cut, shares
from uploads.operations.video_shape import MIB, memory_bytes, scaled, seconds_of

if TYPE_CHECKING:
    from uploads.operations.hls import Hls

# The time line begins here, so that sound that starts a packet early needs no negative time.
ZERO_SECONDS = 10
FRAGMENTED = "+cmaf+frag_keyframe+empty_moov+default_base_moof+frag_discont"
# Most bits a second of a quality's pictures, by lines: what the networks it is for can carry.
MOST_BITS = {
    144: 200_000, 240: 400_000, 360: 900_000, 480: 1_600_000, 720: 3_500_000,
    1080: 6_500_000, 1440: 12_000_000, 2160: 24_000_000,
}  # fmt: skip
BUFFER_SECONDS = 2
SOUND_SECONDS_PER_SECOND = 1 / 60


@dataclass(frozen=True)
class Quality:
    """One rung of the ladder."""

    name: str
    width: int
    height: int
    most_bits: int


def ladder(picture: Picture, heights: tuple[int, ...]) -> list[Quality]:
    """Return the qualities from the best down; each name once, none enlarged."""
    found: dict[str, Quality] = {}
    for lines in sorted(set(heights), reverse=True):
        width, height = scaled(picture, lines, None)
        short = min(width, height)
        most = next((bits for known, bits in MOST_BITS.items() if known >= short), 24_000_000)
        found.setdefault(f"{short}p", Quality(f"{short}p", width, height, most))
    return list(found.values())


def plan(source: Path, step: "Context[Hls]") -> list[Part]:
    """Return a part for the sound and one for each piece, which makes all qualities of it."""
    found = cut(source, _plain(step))
    qualities = ladder(found.picture, step.options.heights)
    shape = {**found.shape, "ladder": [vars(quality) for quality in qualities]}
    shape |= {"rate": float(found.picture.rate) if found.picture.rate else None}
    seconds = _seconds(found, qualities, step)
    pieces = [
        Part(
            {"kind": "segment", **piece, **shape},
            weight=max(0.1, seconds * share),
            memory_bytes=_memory(found, qualities),
            disk_bytes=MIB + 2 * source.stat().st_size * piece["frames"] // max(1, found.frames),
        )
        for piece, share in zip(found.pieces, shares(found), strict=True)
    ]
    sounds = [
        Part(
            {"kind": "sound", "sound": sound, "base": shape["base"]},
            weight=0.2 + shape["duration"] * SOUND_SECONDS_PER_SECOND,
        )
        for sound in shape["sounds"]
    ]
    return [*sounds, *pieces]


def _plain(step: "Context[Hls]") -> Context[Transcode]:
    """Return the step as the planning of plain videos knows it."""
    options = step.options
    as_video = Transcode(
        height=None,
        quality=options.quality,
        speed=options.speed,
        audio="aac" if options.audio == "keep" else "drop",
        audio_rate=options.audio_rate,
        audio_tracks=(options.audio_track,),
        subtitles="drop",
    )
    return Context(
        as_video, step.folder, step.name, step.media_type, step.part, step.limits, step.reporter,
        sample_seconds=step.sample_seconds,
    )  # fmt: skip


def _seconds(found: Cut, qualities: list[Quality], step: "Context[Hls]") -> float:
    """Return the seconds of the whole: read once, encoded once for each quality."""
    nothing = {"width": 0, "height": 0}
    frames, speed = found.frames, step.options.speed
    reading = seconds_of(found.picture, nothing, frames, speed)
    whole = sum(seconds_of(found.picture, vars(quality), frames, speed) for quality in qualities)
    return whole - (len(qualities) - 1) * reading


def _memory(found: Cut, qualities: list[Quality]) -> int:
    each = [memory_bytes(found.picture, vars(quality)) for quality in qualities]
    once = memory_bytes(found.picture, {"width": 0, "height": 0})
    return sum(each) - (len(each) - 1) * once


def make(source: Path, step: "Context[Hls]", part: Json) -> Iterator[Output]:
    """Make one part's files: the sound with its playlist, or a piece in every quality."""
    if part["kind"] == "sound":
        yield from _sound(source, step, part)
        return
    found: list[int] = []
    for preroll in video_encode.PREROLLS if part["start"] is not None else (None,):
        complaints = _encode(source, step, part, preroll)
        before = found
        found = [
            video_encode.count_pictures(step.path(_file(part, quality)), step.name)
            for quality in part["ladder"]
        ]
        if min(found) == part["frames"] or found == before:
            break
    if min(found) < video_encode.DECODABLE_SHARE * part["frames"]:
        reason = f"only {min(found)} of {part['frames']} pictures can be decoded here."
        raise InputError("media_damaged", name=step.name, reason=reason)
    short = part["start"] is not None and min(found) < part["frames"]
    for quality, frames in zip(part["ladder"], found, strict=True):
        path = step.path(_file(part, quality))
        meta = {**_facts(path, step.name), "quality": quality["name"], "frames": frames}
        yield Output(path, meta={**meta, "damaged": short or bool(complaints and preroll == 0.0)})


def _file(part: Json, quality: Json) -> str:
    return f"part-{part['start'] or 0}-{quality['name']}.mp4"


def _facts(path: Path, name: str) -> Json:
    """Return what a playlist has to know of one file."""
    found = read_fragments(path)
    with opened(path, name) as container:
        stream = container.streams.video[0]
        ticks, header = stream.time_base, stream.codec_context.extradata
    return {
        "head": found.head,
        "fragments": [[f.offset, f.size, f.start] for f in found.fragments],
        "ticks": [ticks.numerator, ticks.denominator],
        "codec": f"avc1.{header[1:4].hex()}",
    }


def _encode(source: Path, step: "Context[Hls]", part: Json, preroll: float | None) -> str:
    """Encode a piece in all qualities at once: it is decoded a single time."""
    plain = _plain(step)
    shared = video_filters.chosen(plain, part)
    shared += [ffmpeg.SDR] if part["transfer"] else []
    shared += ["setsar=1"]
    names = [f"[q{place}]" for place in range(len(part["ladder"]))]
    graph = f"[0:{part['stream']}]{','.join(shared)},split={len(names)}{''.join(names)}"
    arguments = video_encode.opening(source, part, preroll)
    writing: list[str] = []
    for place, quality in enumerate(part["ladder"]):
        size = f"scale={quality['width']}:{quality['height']},setsar=1"
        graph += f";[q{place}]{size},{_shifted(part)}[v{place}]"
        writing += ["-map", f"[v{place}]", "-an", "-sn", "-dn", "-map_metadata", "-1"]
        writing += [*video_encode.timing(plain, part), *video_encode.ticks(part)]
        writing += [*_encoder(step, part, quality), "-movflags", FRAGMENTED, "-f", "mp4"]
        writing.append(str(step.path(_file(part, quality)).absolute()))

    def progress(frames: int, seconds: float) -> None:
        step.report(frames / max(1, part["frames"]))

    return ffmpeg.run(
        [*arguments, "-filter_complex", graph, *writing],
        name=step.name,
        limits=step.limits,
        progress=progress,
        folder=step.folder,
    )


def zero(part: Json) -> int:
    """Return the tick at which the time line begins."""
    numerator, denominator = part["base"]
    return round(ZERO_SECONDS * float(denominator) / float(numerator))


def _shifted(part: Json) -> str:
    if part["start"] is None:
        return f"setpts=PTS-STARTPTS+{ZERO_SECONDS}/TB"
    return f"setpts=PTS-{part['origin']}+{zero(part)}"


def _encoder(step: "Context[Hls]", part: Json, quality: Json) -> list[str]:
    """Return the arguments that make key frames at the same times in every quality."""
    encoding = Encoding(
        "h264", step.options.speed, step.options.quality, None, part["kind"] == "segment"
    )
    most = quality["most_bits"]
    limits = ["-maxrate", str(most), "-bufsize", str(BUFFER_SECONDS * most)]
    keys = ["-g", "9999", "-sc_threshold", "0"]
    keys += ["-force_key_frames", f"expr:gte(t,n_forced*{step.options.segment})"]
    return [*encoding.arguments(), *limits, *keys]


def _sound(source: Path, step: "Context[Hls]", part: Json) -> Iterator[Output]:
    """Make the sound, the same for all qualities, and its playlist."""
    late = zero(part) * part["base"][0] / part["base"][1]
    fragments = ["-frag_duration", str(step.options.segment * 1_000_000)]
    writing = ["-output_ts_offset", f"{late:.6f}", "-f", "mp4"]
    writing += ["-movflags", FRAGMENTED.replace("+frag_keyframe", ""), *fragments]
    made = video_sound.encode(source, _plain(step), part["sound"], (0.0, 1.0), writing)
    target = made.path.rename(step.path(f"part-{SOUND}.mp4"))
    found = read_fragments(target)
    with opened(target, step.name) as container:
        stream = container.streams.audio[0]
        tick = float(stream.time_base)
        end = max((p.pts + (p.duration or 0) for p in container.demux(stream) if p.size), default=0)
    bounds = [*(fragment.start for fragment in found.fragments), end]
    segments = [
        Segment(max(0.0, (after - fragment.start) * tick), fragment.offset, fragment.size)
        for fragment, after in zip(found.fragments, bounds[1:], strict=True)
    ]
    text = step.path(f"part-{SOUND}.m3u8")
    text.write_text(media(f"{SOUND}.mp4", found.head, segments, step.options.segment, whole=True))
    bits = round(target.stat().st_size * 8 / max(0.1, sum(s.seconds for s in segments)))
    meta = {"sound": part["sound"]["index"], "damaged": made.meta["damaged"], "bits": bits}
    yield Output(target, meta=meta)
    yield Output(text, meta={"sound": part["sound"]["index"]})
