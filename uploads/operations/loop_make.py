"""Makes a looping GIF or WebP of some seconds of a video, and counts what it made.

The seconds are decoded once, into a small lossless file; colours are chosen from that.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyvips

from uploads.errors import InputError, StepError
from uploads.operations import ffmpeg
from uploads.operations.base import Context, Output
from uploads.operations.probe import Media, Picture, clock, probe
from uploads.operations.spans import within
from uploads.operations.times import label, parse_time
from uploads.operations.video_encode import count_pictures

if TYPE_CHECKING:
    from uploads.operations.loop import Loop

# GIF counts time in hundredths of a second, so the whole may be one off.
TOLERANCE_SECONDS = 0.011
# Slow changes stay smooth where their colours are dithered in a pattern that does not flicker.
PALETTE_USE = "paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle"


def make(source: Path, step: "Context[Loop]") -> Iterator[Output]:
    """Write one loop; raises `InputError` when the video ends before it begins."""
    media = probe(source, step.name, step.limits)
    if media.picture is None:
        raise InputError("no_video_stream", name=step.name)
    start = parse_time(step.options.start, "start")
    if media.duration and start >= media.duration:
        lasts = clock(media.duration)
        raise InputError("range_outside", name=step.name, start=clock(start), duration=lasts)
    rate, size = _rate(step, media.picture), _size(step, media.picture)
    pictures = _decode(source, step, media, start, rate, size)
    if not pictures.stat().st_size:
        # What is shown for less than the time between two pictures of the loop is one of it.
        pictures = _decode(source, step, media, start, rate, size, ending="pass")
    count = count_pictures(pictures, step.name) if pictures.stat().st_size else 0
    if not count:
        reason = "there is no picture in that range."
        raise InputError("media_damaged", name=step.name, reason=reason)
    target = step.path(f"source-{label(start)}.{step.options.format}")
    _encode(pictures, target, step, count)
    seconds = _check(target, step, size, count, rate)
    if seconds < step.options.length - 1 / rate:
        step.log(f"The video ends there: it lasts {seconds:.1f} s.")
    facts = {"width": size[0], "height": size[1], "frames": count, "fps": round(rate, 3)}
    pictures.unlink()
    yield Output(target, meta={**facts, "duration": round(seconds, 3)})


def _rate(step: "Context[Loop]", picture: Picture) -> float:
    return min(float(step.options.fps), float(picture.rate or step.options.fps))


def _size(step: "Context[Loop]", picture: Picture) -> tuple[int, int]:
    width = min(step.options.width, picture.width)
    return width, max(1, round(width * picture.height / picture.width))


def _decode(
    source: Path,
    step: "Context[Loop]",
    media: Media,
    start: float,
    rate: float,
    size: tuple[int, int],
    ending: str = "round",
) -> Path:
    """Write the pictures of these seconds as they will be shown, without loss."""
    assert media.picture is not None
    target = step.path("pictures.mkv")
    tone = f",{ffmpeg.SDR}" if media.picture.transfer else ""
    filters = (
        f"fps={rate:.6f}:eof_action={ending},scale={size[0]}:{size[1]}:flags=lanczos,setsar=1{tone}"
    )
    filters = ",".join([*media.picture.whole, filters])
    arguments = ["-ss", f"{start:.3f}", "-t", f"{step.options.length:.3f}"]
    arguments += [*ffmpeg.reading(source), "-map", f"0:{media.picture.index}", "-an", "-sn", "-dn"]
    arguments += ["-map_metadata", "-1", "-vf", filters, "-c:v", "ffv1", "-pix_fmt", "bgr0"]
    _run([*arguments, str(target)], within(step, 0.0, 0.5), step.options.length * rate, "decoding")
    return target


def _encode(pictures: Path, target: Path, step: "Context[Loop]", count: int) -> None:
    reading = ffmpeg.reading(pictures)
    exact = ["-fflags", "+bitexact", "-loop", "0", str(target)]
    if step.options.format == "webp":
        coded = ["-c:v", "libwebp_anim", "-quality", str(step.options.quality)]
        coded += ["-pix_fmt", "yuv420p", "-fps_mode", "passthrough"]
        _run([*reading, *coded, *exact], within(step, 0.5, 0.95), count, "writing WebP")
        return
    palette = step.path("palette.png")
    # The pictures that change count most: a still background needs few colours.
    chosen = f"palettegen=max_colors={step.options.colours}:reserve_transparent=0:stats_mode=diff"
    arguments = [*reading, "-vf", chosen, "-frames:v", "1", "-update", "1", str(palette)]
    _run(arguments, within(step, 0.5, 0.6), 1, "choosing colours")
    graph = f"[0:v][1:v]{PALETTE_USE}"
    arguments = [*reading, "-i", f"file:{palette.absolute()}", "-filter_complex", graph]
    arguments += ["-fps_mode", "passthrough", *exact]
    _run(arguments, within(step, 0.6, 0.95), count, "writing GIF")
    palette.unlink()


def _run(arguments: Sequence[str], step: "Context[Loop]", total: float, note: str) -> None:
    def progress(frames: int, seconds: float) -> None:
        step.report(frames / max(1.0, total), note)

    ffmpeg.run(arguments, name=step.name, limits=step.limits, progress=progress)
    step.report(1.0, note)


def _check(
    target: Path, step: "Context[Loop]", size: tuple[int, int], count: int, rate: float
) -> float:
    """Return the seconds of one round; raises `StepError` when pictures or time are missing."""
    made = pyvips.Image.new_from_file(str(target), n=-1, revalidate=True)
    pages = made.get("n-pages") if made.get_typeof("n-pages") else 1
    delays = made.get("delay") if made.get_typeof("delay") else [1000 / rate]
    seconds = sum(delays) / 1000
    # WebP makes one picture of equal ones, which stays longer; GIF keeps each.
    right = pages == count if step.options.format == "gif" else 0 < pages <= count
    if not right:
        raise _differs(step, f"{pages} pictures instead of {count}.")
    if (made.width, made.get("page-height") if pages > 1 else made.height) != size:
        raise _differs(step, f"{made.width} pixels wide instead of {size[0]}.")
    if abs(seconds - count / rate) > max(TOLERANCE_SECONDS, 0.5 / rate):
        raise _differs(step, f"{seconds:.2f} s long instead of {count / rate:.2f} s.")
    if pages > 1 and made.get("loop") != 0:
        raise _differs(step, "it does not begin again.")
    return seconds


def _differs(step: "Context[Loop]", reason: str) -> StepError:
    return StepError("verification_failed", name=step.name, reason=reason)
