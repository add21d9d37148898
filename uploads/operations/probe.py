"""Looks into media files with PyAV: tracks, sizes, times, rotation; writes nothing.

Imported inside the functions of operations alone: PyAV takes 0.15 s and
30 MB that the web and worker processes do not need.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import av.logging

from uploads.errors import InputError
from uploads.operations.ffmpeg import DEINTERLACE, FORMATS, PROTOCOLS, refuse_text
from uploads.operations.limits import Limits

ATTACHED_PICTURE = 0x400
# What FFmpeg can turn into text; the others (PGS, DVD, DVB) are pictures.
TEXT_SUBTITLES = {"srt", "subrip", "ass", "ssa", "mov_text", "webvtt", "text"}
HDR_TRANSFERS = {16: "smpte2084", 18: "arib-std-b67"}

av.logging.set_level(None)


@dataclass(frozen=True)
class Picture:
    """The picture track that people see; width and height as shown: turned, square pixels."""

    index: int
    codec: str
    pixel_format: str
    coded_width: int
    coded_height: int
    width: int
    height: int
    rotation: int
    square: bool
    rate: Fraction | None
    time_base: Fraction
    start: float
    bit_rate: int | None
    interlaced: bool
    transfer: str

    @property
    def whole(self) -> list[str]:
        """Return the filters that make half pictures whole, with the times of the first halves."""
        base = self.time_base
        whole = [DEINTERLACE, f"settb={base.numerator}/{base.denominator}"]
        return whole if self.interlaced else []


@dataclass(frozen=True)
class Sound:
    """One sound track."""

    index: int
    codec: str
    rate: int
    channels: int
    start: float
    bit_rate: int | None
    language: str
    duration: float | None
    sample_format: str


@dataclass(frozen=True)
class Subtitle:
    """One subtitle track; those that are not text are made of pictures."""

    index: int
    codec: str
    language: str

    @property
    def is_text(self) -> bool:
        return self.codec in TEXT_SUBTITLES


@dataclass(frozen=True)
class Media:
    """What a media file says about itself; times in seconds, `start` is the earliest track's."""

    container: str
    duration: float
    start: float
    bit_rate: int | None
    picture: Picture | None
    sounds: tuple[Sound, ...]
    streams: int
    subtitles: tuple[Subtitle, ...]


@contextmanager
def opened(source: Path, name: str) -> Iterator[Any]:
    """Open a media file of a plain container; raises `InputError` when it is none, or damaged."""
    refuse_text(source, name)
    allowed = {"protocol_whitelist": PROTOCOLS, "format_whitelist": FORMATS}
    try:
        container = av.open(
            f"file:{source.absolute()}", container_options=allowed, metadata_errors="replace"
        )
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise _unreadable(source, name) from error
    try:
        yield container
    except av.error.FFmpegError as error:
        reason = f"{error.strerror or 'it cannot be decoded'}."
        raise InputError("media_damaged", name=name, reason=reason) from error
    finally:
        container.close()


def _unreadable(source: Path, name: str) -> InputError:
    with source.open("rb") as file:
        head = file.read(12)
    if head[4:8] in {b"ftyp", b"moov", b"mdat"} or head[:4] in {b"\x1a\x45\xdf\xa3", b"RIFF"}:
        reason = "the index that tells what is where in it is missing; it was probably cut off."
        return InputError("media_damaged", name=name, reason=reason)
    return InputError("not_a_video", name=name)


def probe(source: Path, name: str, limits: Limits) -> Media:
    """Read a media file's facts and its first picture; raises `InputError` beyond the limits."""
    with opened(source, name) as container:
        if len(container.streams) > limits.media_max_streams:
            raise _beyond(name, f"it has {len(container.streams)} tracks")
        duration = (container.duration or 0) / 1e6
        if duration > limits.video_max_seconds:
            raise _beyond(name, f"it lasts {clock(duration)}")
        return Media(
            container=container.format.name,
            duration=duration,
            start=(container.start_time or 0) / 1e6,
            bit_rate=container.bit_rate or None,
            picture=_picture(container, name, limits),
            sounds=tuple(_sound(stream) for stream in container.streams.audio),
            streams=len(container.streams),
            subtitles=tuple(
                Subtitle(stream.index, stream.codec_context.name, stream.language or "")
                for stream in container.streams.subtitles
                if stream.codec_context
            ),
        )


def _beyond(name: str, reason: str) -> InputError:
    return InputError("media_too_large", name=name, reason=f"{reason}.")


def picture_stream(container: Any) -> Any | None:
    """Return the first picture track that is not a cover inside a music file."""
    for stream in container.streams.video:
        if not stream.disposition & ATTACHED_PICTURE and stream.codec_context is not None:
            return stream
    return None


def _picture(container: Any, name: str, limits: Limits) -> Picture | None:
    stream = picture_stream(container)
    if stream is None:
        return None
    coded = stream.codec_context
    if coded.width * coded.height > limits.video_max_pixels:
        raise _beyond(name, f"its pictures are {coded.width} × {coded.height} pixels")
    frame = _first_frame(container, stream)
    if frame is None:
        reason = "not a single picture can be decoded."
        raise InputError("media_damaged", name=name, reason=reason)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = max(1, round(frame.width * aspect)), frame.height
    rotation = round(frame.rotation / 90) * 90 % 360
    if rotation % 180:
        width, height = height, width
    return Picture(
        index=stream.index,
        codec=coded.name,
        pixel_format=coded.pix_fmt or "",
        coded_width=frame.width,
        coded_height=frame.height,
        width=width,
        height=height,
        rotation=rotation,
        square=aspect == 1,
        rate=stream.average_rate or stream.guessed_rate,
        time_base=stream.time_base,
        start=_start(stream),
        bit_rate=coded.bit_rate or None,
        interlaced=bool(frame.interlaced_frame),
        transfer=HDR_TRANSFERS.get(int(frame.color_trc), ""),
    )


def _first_frame(container: Any, stream: Any) -> Any | None:
    """Decode the first picture that can be: damaged ones before it are passed over."""
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        if frames:
            return frames[0]
    return None


def _sound(stream: Any) -> Sound:
    coded = stream.codec_context
    return Sound(
        index=stream.index,
        codec=coded.name if coded else "unknown",
        rate=coded.sample_rate if coded else 0,
        channels=coded.channels if coded else 0,
        start=_start(stream),
        bit_rate=(coded.bit_rate or None) if coded else None,
        language=stream.language or "",
        duration=float(stream.duration * stream.time_base) if stream.duration else None,
        sample_format=coded.format.name if coded and coded.format else "",
    )


def _start(stream: Any) -> float:
    return float((stream.start_time or 0) * stream.time_base)


def clock(seconds: float) -> str:
    """Return a time as people read it on a player: 51:40, or 2:03:05 from 100 minutes on."""
    whole = int(seconds)
    if whole < 6000:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
