"""Reads the times of a video's packets without decoding one, and tells where the file ends."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from uploads.errors import InputError
from uploads.operations.base import Context
from uploads.operations.probe import Media, clock, opened, picture_stream

# A header that claims this much more than the file holds names a file that was cut off.
TRUNCATED_SECONDS = 1.0
CLAIMING_CONTAINERS = ("mov", "matroska", "flv", "asf")


@dataclass
class Index:
    """Times of all pictures and key frames of one track, in ticks, in order of showing; bytes by time.

    Of the `hidden` pictures, which an edit leaves out, the key frames are there: later ones build on them.
    """

    times: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    untimed: int = 0
    hidden: int = 0
    end: int = 0
    claimed_seconds: float = 0.0
    reached_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def cut_off(self) -> bool:
        """Tell whether the file holds clearly less than its header claims."""
        missing = self.claimed_seconds - self.reached_seconds
        return missing > max(TRUNCATED_SECONDS, 0.01 * self.claimed_seconds)

    def within(self, start: int, end: int) -> "Index":
        """Return the index of the pictures that are shown from one tick until before another.

        Key frames before them stay: the first ones may build on these.
        """
        return replace(
            self,
            times=[time for time in self.times if start <= time < end],
            keys=[key for key in self.keys if key < end],
            end=min(self.end, end),
        )

    def shortened(self, share: float) -> "Index":
        """Return the index of about this share of the pictures, where no times tell which."""
        times = self.times[: round(share * len(self.times))]
        return replace(self, times=times, untimed=max(1, round(share * self.untimed)))


def read_index(source: Path, media: Media, step: Context[Any]) -> Index:
    """Read the times of all packets without decoding any; reports up to one half."""
    index = Index()
    size = max(1, source.stat().st_size)
    with opened(source, step.name) as container:
        stream = picture_stream(container) or container.streams[0]
        base = float(stream.time_base)
        end = 0.0
        for count, packet in enumerate(container.demux()):
            if count % 2000 == 0:
                step.report(0.5 * min(1.0, (packet.pos or 0) / size), "reading the index")
            if packet.size == 0:
                continue
            if packet.pts is not None:
                last = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                end = max(end, last)
            if packet.stream_index == stream.index:
                _note(index, packet)
        if stream.duration and "mov" in media.container:
            start = stream.start_time or 0
            index.claimed_seconds = (start + stream.duration) * base - media.start
            index.reached_seconds = index.end * base - media.start
        elif any(name in media.container for name in CLAIMING_CONTAINERS):
            index.claimed_seconds, index.reached_seconds = media.duration, end - media.start
    index.seconds = max(0.0, end - media.start)
    index.keys.sort()
    # A recording cut out of a broadcast starts with pictures that lack what they build on.
    first = index.keys[0] if index.keys else 0
    index.times = sorted(time for time in index.times if time >= first or not index.keys)
    return index


def _note(index: Index, packet: Any) -> None:
    if packet.is_keyframe and packet.pts is not None:
        index.keys.append(packet.pts)
    if packet.is_discard:
        index.hidden += 1
    elif packet.pts is None:
        index.untimed += 1
    else:
        index.times.append(packet.pts)
        index.sizes[packet.pts] = packet.size
        index.end = max(index.end, packet.pts + (packet.duration or 0))


def hidden_sound(source: Path, name: str, track: int) -> float:
    """Return the seconds of a sound track that an edit leaves out; what encoders put first is some."""
    with opened(source, name) as container:
        stream = container.streams[track]
        ticks = sum(packet.duration or 0 for packet in container.demux(stream) if packet.is_discard)
        return float(ticks * stream.time_base)


def refuse_truncated(index: Index, name: str) -> None:
    """Raise `InputError` (`media_truncated`, with both times) when the file was cut off."""
    if index.cut_off:
        raise InputError(
            "media_truncated",
            name=name,
            end=clock(index.reached_seconds),
            duration=clock(index.claimed_seconds),
        )
