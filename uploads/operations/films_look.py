"""Looks at videos that shall become one: what each holds, and whether copying will do."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from uploads.errors import InputError
from uploads.operations.base import Context
from uploads.operations.clip_cut import MP4_PICTURES
from uploads.operations.packets import read_index, refuse_truncated
from uploads.operations.probe import Media, Picture, Sound, opened, probe
from uploads.operations.video_sound import COPYABLE

# Sound that ends so much before the picture would leave a hole where copied.
HOLE_SECONDS = 0.1


@dataclass(frozen=True)
class Film:
    """One of the videos: its facts, and when its pictures begin and end, in seconds."""

    path: Path
    name: str
    media: Media
    picture: Picture
    sound: Sound | None
    frames: int
    start: float
    end: float
    kind: dict[str, Any]

    @property
    def seconds(self) -> float:
        return self.end - self.start


def look(path: Path, step: Context[Any], *, sounds: bool) -> Film:
    """Read a video's facts and packets; raises `InputError`, with its name, for what is none."""
    media = probe(path, step.name, step.limits)
    if media.picture is None:
        raise InputError("no_video_stream", name=step.name)
    index = read_index(path, media, step)
    refuse_truncated(index, step.name)
    if not index.times:
        reason = "no times of its pictures"
        raise InputError("media_unsupported", name=step.name, reason=reason)
    known = [sound for sound in media.sounds if sound.codec != "unknown"] if sounds else []
    if len(known) > 1:
        step.log(f"“{step.name}” has {len(known)} sound tracks: the first one is taken.")
    sound = known[0] if known else None
    base = media.picture.time_base
    start, end = float(index.times[0] * base), float(index.end * base)
    if len(index.times) > 1 and index.end <= index.times[-1]:
        end += (end - start) / (len(index.times) - 1)  # the last picture's own time is not told
    film = Film(path, step.name, media, media.picture, sound, len(index.times), start, end, {})
    return replace(film, kind=_kind(film))


def _kind(film: Film) -> dict[str, Any]:
    """Return, by words for people, all that must agree where packets are copied."""
    picture, sound = film.picture, film.sound
    with opened(film.path, film.name) as container:
        tracks = [container.streams[made.index] for made in (picture, sound) if made]
        heads = [bytes(track.codec_context.extradata or b"") for track in tracks]
        hidden, heard_until = _read(film, container, tracks)
    heard = (sound.codec, sound.rate, sound.channels, sound.sample_format) if sound else ()
    return {
        "codec": picture.codec,
        "size": (picture.coded_width, picture.coded_height, picture.rotation, picture.square),
        "frame rate": Fraction(picture.rate or 0).limit_denominator(1001),
        "pixel format": picture.pixel_format,
        "sound": heard,
        "way of encoding": (heads, picture.time_base, picture.transfer, picture.interlaced),
        "cut": hidden,
        "length of the sound": _hole(film, sound, heard_until),
    }


def _read(film: Film, container: Any, tracks: list[Any]) -> tuple[bool, float | None]:
    """Tell whether an edit hides pictures, which can't be copied, and when the sound ends."""
    pictures, timeless, heard_until = 0, False, None
    for packet in container.demux(tracks):
        if not packet.size:
            continue
        if packet.stream is tracks[0]:
            pictures += 1
            timeless = timeless or packet.pts is None
        elif packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            heard_until = end if heard_until is None else max(heard_until, end)
    return timeless or pictures != film.frames, heard_until


def _hole(film: Film, sound: Sound | None, heard_until: float | None) -> bool:
    """Tell whether a copy would have no sound for a while at a seam."""
    if sound is None:
        return False
    late = sound.start - film.start > HOLE_SECONDS
    return late or heard_until is None or film.end - heard_until > HOLE_SECONDS


def difference(films: list[Film]) -> str:
    """Return, in words, why copying will not do; "" when it will."""
    first = films[0]
    for film in films:
        for word, value in first.kind.items():
            if film.kind[word] != value:
                return f"“{film.name}” differs from “{first.name}” in its {word}"
        if film.kind["cut"] or film.kind["length of the sound"]:
            return f"the pictures and the sound of “{film.name}” don't fit without encoding"
    return ""


def suffix(film: Film) -> str:
    """Return the kind of file that holds copies of these tracks."""
    sound = film.sound is None or film.sound.codec in COPYABLE["mp4"]
    return ".mp4" if film.picture.codec in MP4_PICTURES and sound else ".mkv"
