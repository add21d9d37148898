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
from uploads.operations.packets import read_index
from uploads.operations.probe import Media, Picture, probe

if TYPE_CHECKING:
    from uploads.operations.poster import Poster

COLUMNS = 10
# The best still is looked for here: after titles and fades, before the end gives too much away.
EARLIEST, LATEST = 0.05, 0.4
CANDIDATES = 8
CANDIDATE_WIDTH = 160
SEEK_MARGIN_SECONDS = 0.010
# Some containers land late when asked for the very picture: then read from further back.
PREROLL_SECONDS = (0.0, 1.5, 15.0)


@dataclass(frozen=True)
class Still:
    """One small still in memory and its tick in the file's own clock."""

    tick: int
    image: Any


def take(source: Path, step: "Context[Poster]") -> Iterator[Output]:
    """Write poster, sprite and WebVTT of one video; raises `InputError` when nothing can be seen."""
    media = probe(source, step.name, step.limits)
    if media.picture is None:
        raise InputError("no_video_stream", name=step.name)
    index = read_index(source, media, step)
    options = step.options
    # Of an edited video also the first picture that is shown: its key frame may be a hidden one.
    ticks = [key for key in index.keys if not index.times or key >= index.times[0]]
    ticks = ticks or index.times[:1]
    chosen = _spread(ticks, options.stills, options.sprite)
    small = _small_stills(source, step, media, chosen)
    if not small:
        reason = "none of its pictures can be decoded."
        raise InputError("media_damaged", name=step.name, reason=reason)
    early = _telling(small) if options.sprite else small
    best = max(early, key=lambda still: _appeal(still.image))
    poster = step.path("source-poster.jpg")
    width, height = _fitted(media.picture, options.width)
    _still(source, step, media.picture, best.tick, (width, height), poster)
    base = float(media.picture.time_base)
    at = best.tick * base - media.start
    facts = {"width": width, "height": height, "at": round(at, 3)}
    yield Output(poster, meta=facts)
    if options.sprite:
        times = [still.tick * base - media.start for still in small]
        end = max(index.end * base - media.start, media.duration)
        yield from _sprite(step, [still.image for still in small], times, end)


def _spread(ticks: Sequence[int], most: int, everywhere: bool) -> list[int]:
    """Choose key frames evenly over the video, or a few of its early part."""
    if not ticks:
        return []
    if not everywhere:
        first, last = ticks[0], ticks[-1]
        low, high = (first + (last - first) * share for share in (EARLIEST, LATEST))
        ticks = [tick for tick in ticks if low <= tick <= high] or [ticks[0]]
        most = CANDIDATES
    if len(ticks) <= most:
        return list(ticks)
    apart = (ticks[-1] - ticks[0]) / (most - 1)
    chosen: list[int] = []
    for tick in ticks:
        if tick >= ticks[0] + len(chosen) * apart - 0.5:
            chosen.append(tick)
    return chosen[:most]


def _telling(small: list[Still]) -> list[Still]:
    low, high = int(len(small) * EARLIEST), max(1, round(len(small) * LATEST))
    return small[low:high] or small


def _appeal(image: Any) -> float:
    """Rate a still: much contrast is good, near black or white is not."""
    grey = image.colourspace("b-w")
    return float(grey.deviate() - abs(grey.avg() - 118) * 0.25)


def _small_stills(
    source: Path, step: "Context[Poster]", media: Media, ticks: Sequence[int]
) -> list[Still]:
    assert media.picture is not None
    width = step.options.still_width if step.options.sprite else CANDIDATE_WIDTH
    height = max(2, round(width * media.picture.height / media.picture.width))
    found: list[Still] = []
    path = step.path("still.png")
    for place, tick in enumerate(ticks):
        step.report(0.5 + 0.4 * place / len(ticks), "taking stills")
        try:
            _still(source, step, media.picture, tick, (width, height), path)
            image = pyvips.Image.new_from_file(str(path)).copy_memory()
        except (InputError, pyvips.Error):
            continue  # a damaged place; the others still show the video
        found.append(Still(tick, image))
        path.unlink()
    return found


def _still(
    source: Path,
    step: "Context[Poster]",
    picture: Picture,
    tick: int,
    size: tuple[int, int],
    target: Path,
) -> None:
    """Decode exactly the key frame of a tick; turned, square pixels, ordinary colours."""
    filters = [*picture.whole, f"trim=start_pts={tick}:end_pts={tick + 1}"]
    filters += [f"scale={size[0]}:{size[1]},setsar=1", *([ffmpeg.SDR] if picture.transfer else [])]
    writing = ["-map", f"0:{picture.index}", "-an", "-sn", "-dn", "-map_metadata", "-1"]
    writing += ["-vf", ",".join(filters), "-frames:v", "1"]
    writing += ["-c:v", *(["mjpeg", "-q:v", "3"] if target.suffix == ".jpg" else ["png"])]
    writing += ["-f", "image2", "-update", "1", str(target)]
    for preroll in PREROLL_SECONDS:
        at = tick * float(picture.time_base) + SEEK_MARGIN_SECONDS - preroll
        # Not `-skip_frame nokey`: with open groups of pictures it mixes up their times.
        reading = ["-threads", "1", "-copyts", "-noaccurate_seek"]
        reading += ["-seek_timestamp", "1", "-ss", f"{at:.6f}"]
        reading += ffmpeg.reading(source)
        try:
            ffmpeg.run([*reading, *writing], name=step.name, limits=step.limits)
        except StepError:
            continue  # "nothing was written"
        if target.exists():
            return
    raise InputError("media_damaged", name=step.name, reason="a picture can't be decoded.")


def _fitted(picture: Picture, longest: int) -> tuple[int, int]:
    factor = min(1.0, longest / max(picture.width, picture.height))
    return max(1, round(picture.width * factor)), max(1, round(picture.height * factor))


def _sprite(
    step: "Context[Poster]", small: list[Any], times: list[float], end: float
) -> Iterator[Output]:
    width, height = small[0].width, small[0].height
    columns = min(COLUMNS, len(small))
    joined = pyvips.Image.arrayjoin(small, across=columns)
    path = step.path("source-sprite.jpg")
    pixels.write(joined.copy_memory(), path, "jpeg", 75, "strip")
    facts = {"stills": len(small), "columns": columns, "width": width, "height": height}
    yield Output(path, meta=facts)
    shown = f"{Path(step.name).stem or 'source'}-sprite.jpg"
    cues = webvtt(times, end, shown, (width, height), columns)
    vtt = step.path("source-sprite.vtt")
    vtt.write_text(cues, encoding="utf-8")
    yield Output(vtt, meta={"cues": len(small)})


def webvtt(
    times: Sequence[float], end: float, picture: str, size: tuple[int, int], columns: int
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
        box = f"{column * size[0]},{row * size[1]},{size[0]},{size[1]}"
        lines += [f"{_stamp(begin)} --> {_stamp(max(until, begin + 0.001))}"]
        lines += [f"{quote(picture)}#xywh={box}", ""]
    return "\n".join(lines)


def _stamp(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
