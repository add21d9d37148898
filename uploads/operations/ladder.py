"""From what the parts of a ladder say of themselves to its playlists; no files, no libraries."""

from collections.abc import Sequence

from uploads.operations.base import Json
from uploads.operations.playlists import Rendition, Segment

SOUND_CODEC = "mp4a.40.2"


def segments_of(last: Json, metas: Sequence[Json]) -> list[Segment]:
    """Return the segments of one quality's parts, which follow each other, as in the joined file.

    `last` are the parameters of the last of these parts.
    """
    scale = metas[0]["ticks"][0] / metas[0]["ticks"][1]
    rows: list[tuple[int, int]] = []
    for meta in metas:
        rows += [(size, start) for _, size, start in meta["fragments"]]
    end = _end(last, rows, scale)
    offset, segments = metas[0]["head"], []
    for (size, start), after in zip(rows, [*(start for _, start in rows[1:]), end], strict=True):
        segments.append(Segment(max(0.0, (after - start) * scale), offset, size))
        offset += size
    return segments


def _end(last: Json, rows: list[tuple[int, int]], scale: float) -> float:
    """Return the tick at which the last picture of the last part is no more shown."""
    if last["end"] is None:
        return rows[0][1] + float(last["seconds"]) / scale
    base: float = last["base"][0] / last["base"][1]
    return rows[0][1] + float(last["end"] - last["offset"]) * base / scale


def rendition_of(
    quality: Json, shape: Json, meta: Json, segments: list[Segment], sound_bits: int
) -> Rendition:
    """Return a quality as the playlist of all names it, `sound_bits` a second included."""
    seconds = max(0.1, sum(segment.seconds for segment in segments))
    average = sum(segment.size for segment in segments) * 8 / seconds
    peak = max(segment.size * 8 / max(0.5, segment.seconds) for segment in segments)
    codecs = meta["codec"] + (f",{SOUND_CODEC}" if sound_bits else "")
    return Rendition(
        quality["name"],
        quality["width"],
        quality["height"],
        codecs,
        round(max(peak, average)) + sound_bits,
        round(average) + sound_bits,
        shape["rate"],
    )
