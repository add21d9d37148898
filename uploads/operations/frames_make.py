"""Chooses pictures of a video by the times of its packets and decodes exactly those."""

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pyvips

from uploads.errors import InputError, StepError
from uploads.operations import ffmpeg, pixels
from uploads.operations.base import Context, Output
from uploads.operations.packets import Index, read_index
from uploads.operations.probe import Media, Picture, clock, probe
from uploads.operations.spans import within
from uploads.operations.stills import PREROLL_SECONDS, SEEK_MARGIN_SECONDS
from uploads.operations.times import label

if TYPE_CHECKING:
    from uploads.operations.frames import Frames

SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
# So many are taken by one run of FFmpeg: each has a term in its filter.
MOST_AT_ONCE = 50
# Scenes are told apart at this width; more would only take longer.
SCENE_WIDTH = 320
# The shares of the progress: of reading the index, which says half of it, and of looking for scenes.
INDEX_SHARE, SCENES_SHARE = 0.03, 0.6


def take(source: Path, step: "Context[Frames]") -> Iterator[Output]:
    """Write the chosen pictures; raises `InputError` for what has none that can be decoded."""
    media = probe(source, step.name, step.limits)
    if media.picture is None:
        raise InputError("no_video_stream", name=step.name)
    index = read_index(source, media, within(step, 0.0, 2 * INDEX_SHARE))
    if not index.times:
        reason = "no times of its pictures"
        raise InputError("media_unsupported", name=step.name, reason=reason)
    if index.cut_off:
        ends, claimed = clock(index.reached_seconds), clock(index.claimed_seconds)
        step.warn(f"The file ends at {ends} of {claimed}.")
    tick_seconds = float(media.picture.time_base)
    share = step.sample_share((index.end - index.times[0]) * tick_seconds)
    if share < 1:
        first, end = index.times[0], index.end
        index = index.within(first, max(first + 1, round(first + share * (end - first))))
    facts = {"sample_share": round(share, 6)} if share < 1 else {}
    ticks = _chosen(source, step, media, index, share)
    begin = SCENES_SHARE if step.options.choose == "scenes" else INDEX_SHARE
    made = 0
    for group in _groups(ticks, index.keys):
        for tick, path in _decoded(source, step, media.picture, group):
            at = max(0.0, tick * tick_seconds - media.start)
            output = _kept(path, at, step, media.picture)
            yield replace(output, meta={**output.meta, **facts})
            made += 1
            step.report(begin + (1 - begin) * made / len(ticks), f"{made} of {len(ticks)} pictures")
    if not made:
        reason = "none of its pictures can be decoded."
        raise InputError("media_damaged", name=step.name, reason=reason)
    if made < len(ticks):
        step.warn(f"{len(ticks) - made} of {len(ticks)} pictures can't be decoded: left out.")


def _chosen(
    source: Path, step: "Context[Frames]", media: Media, index: Index, share: float
) -> list[int]:
    """Return the ticks of the pictures to take, at most as many as wanted of this share of a video."""
    assert media.picture is not None
    options, times = step.options, index.times
    most = math.ceil(options.most * share)
    if options.choose == "scenes":
        found = _scenes(source, step, media, index)
    elif options.choose == "number":
        count = min(math.ceil(options.number * share), len(times))
        # The middle of each of so many equal pieces: neither the black first nor the last one.
        found = [times[int((place + 0.5) * len(times) / count)] for place in range(count)]
    else:
        found = _each(times, options.every / float(media.picture.time_base))
    found = list(dict.fromkeys(found))
    if len(found) <= most:
        return found
    step.warn(f"{len(found):,} pictures would be too many: {most:,} of them were taken.")
    return [found[place * len(found) // most] for place in range(most)]


def _each(times: Sequence[int], apart: float) -> list[int]:
    """Return the picture that is seen at each multiple of so many ticks, from the first one on."""
    count = int((times[-1] - times[0]) / apart) + 1
    wanted = (times[0] + place * apart for place in range(min(count, len(times) * 2)))
    return [times[bisect_right(times, round(at)) - 1] for at in wanted]


def _scenes(source: Path, step: "Context[Frames]", media: Media, index: Index) -> list[int]:
    """Decode everything, small, and return the first picture of all and of each new scene."""
    assert media.picture is not None
    found: list[int] = [index.times[0]]
    total = len(index.times)

    def heard(line: str) -> None:
        if told := re.search(r"frame:\d+ +pts:(-?\d+)", line):
            found.append(int(told[1]))

    def progress(frames: int, seconds: float) -> None:
        share = min(1.0, frames / total)
        done = INDEX_SHARE + (SCENES_SHARE - INDEX_SHARE) * share
        step.report(done, f"looking for scenes, {frames:,} of {total:,} pictures")

    width = min(SCENE_WIDTH, media.picture.width)
    filters = f"scale={width}:-2,scdet=threshold={step.options.change}"
    filters += ",metadata=print:key=lavfi.scd.time"
    lasts = (index.end - index.times[0]) * float(media.picture.time_base)
    reading = [
        "-copyts",
        "-t",
        f"{lasts:.6f}",
        *ffmpeg.reading(source),
        "-map",
        f"0:{media.picture.index}",
        "-an",
    ]
    ffmpeg.run(
        [*reading, "-vf", filters, "-fps_mode", "passthrough", "-f", "null", "-"],
        name=step.name,
        limits=step.limits,
        progress=progress,
        heard=heard,
    )
    known = set(index.times)
    return sorted({tick for tick in found if tick in known})


def _groups(ticks: Sequence[int], keys: Sequence[int]) -> Iterator[list[int]]:
    """Yield the pictures that one reading from one key frame on gives."""
    for _, group in groupby(ticks, key=lambda tick: bisect_right(keys, tick)):
        together = list(group)
        for start in range(0, len(together), MOST_AT_ONCE):
            yield together[start : start + MOST_AT_ONCE]


def _decoded(
    source: Path, step: "Context[Frames]", picture: Picture, ticks: list[int]
) -> Iterator[tuple[int, Path]]:
    """Decode exactly these pictures: again one by one where together not all of them came."""
    paths = _decode(source, step, picture, ticks)
    if len(paths) == len(ticks):
        yield from zip(ticks, paths, strict=True)
    elif len(ticks) > 1:
        for tick in ticks:
            yield from _decoded(source, step, picture, [tick])


def _decode(
    source: Path, step: "Context[Frames]", picture: Picture, ticks: list[int]
) -> list[Path]:
    """Write these pictures as PNG: turned, square pixels, ordinary colours."""
    wanted = "+".join(f"eq(pts\\,{tick})" for tick in ticks)
    width, height = _fitted(picture, step.options.longest_edge)
    filters = [*picture.whole, f"trim=start_pts={ticks[0]}:end_pts={ticks[-1] + 1}"]
    filters += [f"select={wanted}"]
    filters += [f"scale={width}:{height}:flags=lanczos,setsar=1"]
    filters += [ffmpeg.SDR] if picture.transfer else []
    pattern = "taken-%04d.png"
    writing = ["-map", f"0:{picture.index}", "-an", "-sn", "-dn", "-map_metadata", "-1"]
    writing += ["-vf", ",".join(filters), "-frames:v", str(len(ticks))]
    writing += ["-fps_mode", "passthrough", "-c:v", "png", "-compression_level", "1"]
    writing += ["-f", "image2", str(step.path(pattern))]
    for preroll in PREROLL_SECONDS:
        for old in step.folder.glob("taken-*.png"):
            old.unlink()
        at = ticks[0] * float(picture.time_base) + SEEK_MARGIN_SECONDS - preroll
        reading = ["-threads", "1", "-copyts", "-noaccurate_seek"]
        reading += ["-seek_timestamp", "1", "-ss", f"{at:.6f}", *ffmpeg.reading(source)]
        try:
            ffmpeg.run([*reading, *writing], name=step.name, limits=step.limits)
        except (InputError, StepError) as error:
            if error.code not in {"tool_failed", "media_damaged"}:
                raise
            continue  # nothing was written, or a damaged place: from further back
        found = sorted(step.folder.glob("taken-*.png"))
        if len(found) == len(ticks):
            return found
    return []


def _fitted(picture: Picture, longest: int | None) -> tuple[int, int]:
    most = max(picture.width, picture.height)
    factor = min(1.0, (longest or most) / most)
    return max(1, round(picture.width * factor)), max(1, round(picture.height * factor))


def _kept(path: Path, at: float, step: "Context[Frames]", picture: Picture) -> Output:
    """Write one picture in its format, named by its time, and check its size."""
    options = step.options
    target = step.path(f"source-{label(at)}{SUFFIXES[options.format]}")
    image = pyvips.Image.new_from_file(str(path), revalidate=True)
    pixels.write(image.copy_memory(), target, options.format, options.quality, "strip")
    made = pyvips.Image.new_from_file(str(target), revalidate=True)
    size = _fitted(picture, options.longest_edge)
    if (made.width, made.height) != size:
        reason = f"{made.width} × {made.height} pixels instead of {size[0]} × {size[1]}."
        raise StepError("verification_failed", name=step.name, reason=reason)
    path.unlink()
    facts = {"width": made.width, "height": made.height, "at": round(at, 3)}
    return Output(target, meta=facts)
