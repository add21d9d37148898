"""Says what happens to the pictures of a part: cut, upright, scaled, ordinary colours, subtitles."""

from pathlib import Path
from typing import TYPE_CHECKING

from uploads.operations import ffmpeg, video_subtitles
from uploads.operations.base import Context, Json

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

TURNS = {"right": ["transpose=clock"], "left": ["transpose=cclock"], "half": ["hflip", "vflip"]}


def of(source: Path, step: "Context[Transcode]", part: Json) -> str:
    """Return FFmpeg's filters for a part; writes the subtitles that are burnt into it."""
    filters = chosen(step, part)
    filters += TURNS.get(step.options.turn, [])
    if part["scale"]:
        filters.append(f"scale={part['width']}:{part['height']},setsar=1")
    if part["transfer"]:
        filters.append(ffmpeg.SDR)
    if part["burnt"]:
        filters.append(video_subtitles.prepare_burning(source, step, part))
    if part["start"] is not None:
        # At the end: subtitles and the choice of pictures go by the source's own times.
        filters.append(f"setpts=PTS-{part['start']}")
    return ",".join(filters) or "null"


def _interlaced(part: Json) -> list[str]:
    if not part["interlaced"]:
        return []
    # The deinterlacer counts time in half ticks; the parts are cut in whole ones.
    numerator, denominator = part["base"]
    return [f"bwdif=mode=send_frame:deint=interlaced,settb={numerator}/{denominator}"]


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
