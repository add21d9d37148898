"""Says what happens to the pictures of a part: cut, upright, scaled, ordinary colours, subtitles."""

from pathlib import Path
from typing import TYPE_CHECKING

from uploads.operations import ffmpeg, video_burning
from uploads.operations.base import Context, Json

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

TURNS = {"right": ["transpose=clock"], "left": ["transpose=cclock"], "half": ["hflip", "vflip"]}


def of(source: Path, step: "Context[Transcode]", part: Json) -> list[str]:
    """Return FFmpeg's arguments that choose and change a part's pictures, after the source's own.

    Writes the subtitles that are burnt in; those made of pictures are an input of their own.
    """
    burning = video_burning.prepare(source, step, part)
    stream = f"0:{part['stream']}"
    before, after = _before(step, part, burning.text), _after(part)
    if not burning.laid:
        return ["-map", stream, "-vf", ",".join([*before, *after]) or "null"]
    numerator, denominator = part["base"]
    # Two inputs meet in a time base of their own.
    after = [burning.laid, f"settb={numerator}/{denominator}", *after]
    drawn = f"[{stream}]{','.join(before) or 'null'}[video];{burning.drawn}[subtitles];"
    drawn += f"[video][subtitles]{','.join(after)}[out]"
    return [*burning.inputs, "-filter_complex", drawn, "-map", "[out]"]


def _before(step: "Context[Transcode]", part: Json, text: str) -> list[str]:
    """Return the filters up to text that is burnt in."""
    filters = chosen(step, part)
    filters += TURNS.get(step.options.turn, [])
    if part["scale"]:
        filters.append(f"scale={part['width']}:{part['height']},setsar=1")
    if part["transfer"]:
        filters.append(ffmpeg.SDR)
    return [*filters, text] if text else filters


def _after(part: Json) -> list[str]:
    # At the end: subtitles and the choice of pictures go by the source's own times.
    return [] if part["start"] is None else [f"setpts=PTS-{part['start']}"]


def _interlaced(part: Json) -> list[str]:
    if not part["interlaced"]:
        return []
    numerator, denominator = part["base"]  # in whose ticks parts are cut
    return [f"{ffmpeg.DEINTERLACE},settb={numerator}/{denominator}"]


def chosen(step: "Context[Transcode]", part: Json) -> list[str]:
    """Return the filters that let the part's own pictures through, and of them what a cap allows."""
    filters = _interlaced(part)
    if part["start"] is None:
        cap = step.options.frame_rate
        return [*filters, f"fps=fps='min(source_fps,{cap})'"] if cap else filters
    filters += [f"trim=start_pts={part['start']}:end_pts={part['end']}"]
    if part["pace"] is not None:
        slot = f"floor((pts-{part['offset']})*{part['pace']!r})"
        before = f"floor((prev_pts-{part['offset']})*{part['pace']!r})"
        filters.append(f"select='if(eq(n,0),{int(part['first'])},gt({slot},{before}))'")
    return filters
