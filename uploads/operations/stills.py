"""Takes stills of a video at its key frames, chooses the best and joins small ones to a sprite."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyvips

from uploads.errors import InputError, StepError
from uploads.operations import ffmpeg, pixels
from uploads.operations.base import Context, Output
from uploads.operations.packets import Index, read_index
from uploads.operations.probe import Media, Picture, probe

if TYPE_CHECKING:
    from uploads.operations.poster import Poster

COLUMNS = 10
# The best still is looked for here: after titles and fades, before the end gives too much away.
EARLIEST, LATEST = 0.05, 0.4
CANDIDATES = 8
CANDIDATE_WIDTH = 160
SEEK_MARGIN_SECONDS = 0.010


@dataclass(frozen=True)
class Still:
    """One small still in memory and the second at which it is shown."""

    at: float
    image: Any


def take(source: Path, step: "Context[Poster]") -> Iterator[Output]:
    """Write poster, sprite and WebVTT of one video; raises `InputError` when nothing can be seen."""
    media = probe(source, step.name, step.limits)
    if media.picture is None:
        raise InputError("no_video_stream", name=step.name)
    index = read_index(source, media, step)
    times = key_seconds(index, media.picture)
    options = step.options
    small = _small_stills(source, step, media, _spread(times, options.stills, options.sprite))
    if not small:
        reason = "none of its pictures can be decoded."
        raise InputError("media_damaged", name=step.name, reason=reason)
    early = _telling(small) if options.sprite else small
    best = max(early, key=lambda still: _appeal(still.image))
    poster = step.path("source-poster.jpg")
    width, height = _fitted(media.picture, options.width)
    _still(source, step, media.picture, best.at, (width, height), poster)
    yield Output(poster, meta={"width": width, "height": height, "at": round(best.at, 3)})
    if options.sprite:
        end = index.end * float(media.picture.time_base)
        yield from _sprite(step, small, media.start, max(end, media.start + media.duration))


def key_seconds(index: Index, picture: Picture) -> list[float]:
    """Return when each key frame is shown, in seconds of the file's own clock."""
    base = float(picture.time_base)
    return [key * base for key in index.keys] or [picture.start]


def _spread(times: Sequence[float], most: int, everywhere: bool) -> list[float]:
    """Choose key frames evenly over the video, or a few of its early part."""
    if not everywhere:
        first, last = times[0], times[-1]
        low, high = (first + (last - first) * share for share in (EARLIEST, LATEST))
        times = [time for time in times if low <= time <= high] or [times[0]]
        most = CANDIDATES
    if len(times) <= most:
        return list(times)
    step = (times[-1] - times[0]) / (most - 1)
    chosen: list[float] = []
    for time in times:
        if time >= times[0] + len(chosen) * step - 1e-6:
            chosen.append(time)
    return chosen[:most]


def _telling(small: list[Still]) -> list[Still]:
    low, high = int(len(small) * EARLIEST), max(1, round(len(small) * LATEST))
    return small[low:high] or small


def _appeal(image: Any) -> float:
    """Rate a still: much contrast is good, near black or white is not."""
    grey = image.colourspace("b-w")
    return float(grey.deviate() - abs(grey.avg() - 118) * 0.25)


def _small_stills(
    source: Path, step: "Context[Poster]", media: Media, times: Sequence[float]
) -> list[Still]:
    assert media.picture is not None
    width = step.options.still_width if step.options.sprite else CANDIDATE_WIDTH
    height = max(2, round(width * media.picture.height / media.picture.width))
    found: list[Still] = []
    path = step.path("still.png")
    for place, at in enumerate(times):
        step.report(0.5 + 0.4 * place / len(times), "taking stills")
        try:
            _still(source, step, media.picture, at, (width, height), path)
            image = pyvips.Image.new_from_file(str(path)).copy_memory()
        except (InputError, StepError, pyvips.Error):
            continue  # a damaged place; the others still show the video
        found.append(Still(at, image))
        path.unlink()
    return found


def _still(
    source: Path,
    step: "Context[Poster]",
    picture: Picture,
    at: float,
    size: tuple[int, int],
    target: Path,
) -> None:
    """Decode the one key frame at a time; turned, square pixels, ordinary colours."""
    filters = [f"scale={size[0]}:{size[1]},setsar=1"]
    if picture.transfer:
        filters.append(ffmpeg.SDR)
    seconds = f"{at + SEEK_MARGIN_SECONDS:.6f}"
    arguments = ["-threads", "1", "-skip_frame", "nokey"]
    arguments += ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", seconds]
    arguments += [*ffmpeg.reading(source), "-map", f"0:{picture.index}", "-an", "-sn", "-dn"]
    arguments += ["-vf", ",".join(filters), "-frames:v", "1", "-map_metadata", "-1"]
    coded = ["-c:v", "mjpeg", "-q:v", "3"] if target.suffix == ".jpg" else ["-c:v", "png"]
    arguments += [*coded, "-f", "image2", "-update", "1", str(target)]
    ffmpeg.run(arguments, name=step.name, limits=step.limits)


def _fitted(picture: Picture, longest: int) -> tuple[int, int]:
    factor = min(1.0, longest / max(picture.width, picture.height))
    return max(1, round(picture.width * factor)), max(1, round(picture.height * factor))


def _sprite(
    step: "Context[Poster]", small: list[Still], start: float, end: float
) -> Iterator[Output]:
    width, height = small[0].image.width, small[0].image.height
    columns = min(COLUMNS, len(small))
    joined = pyvips.Image.arrayjoin([still.image for still in small], across=columns)
    path = step.path("source-sprite.jpg")
    pixels.write(joined.copy_memory(), path, "jpeg", 75, "strip")
    facts = {"stills": len(small), "columns": columns, "width": width, "height": height}
    yield Output(path, meta=facts)
    shown = f"{Path(step.name).stem or 'source'}-sprite.jpg"
    cues = webvtt([still.at - start for still in small], end - start, shown, width, height, columns)
    vtt = step.path("source-sprite.vtt")
    vtt.write_text(cues, encoding="utf-8")
    yield Output(vtt, meta={"cues": len(small)})


def webvtt(
    times: Sequence[float], end: float, picture: str, width: int, height: int, columns: int
) -> str:
    """Return a WebVTT index of a sprite: each still from its own time to the next one's.

    The places are media fragments (`#xywh`), as players expect them.
    """
    lines = ["WEBVTT", ""]
    starts = [0.0, *times[1:]]
    for place, (begin, until) in enumerate(
        zip(starts, [*starts[1:], max(end, 0.001)], strict=True)
    ):
        row, column = divmod(place, columns)
        box = f"{column * width},{row * height},{width},{height}"
        lines += [f"{_stamp(begin)} --> {_stamp(max(until, begin + 0.001))}"]
        lines += [f"{quote(picture)}#xywh={box}", ""]
    return "\n".join(lines)


def _stamp(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
