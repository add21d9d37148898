"""Prepares subtitles to be burnt into a part's pictures: text, and pictures as discs and broadcasts have."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from uploads.errors import StepError
from uploads.operations import ffmpeg
from uploads.operations.base import Context, Json
from uploads.operations.probe import Picture, opened
from uploads.operations.video_subtitles import reading

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

# A subtitle that began so long before a part's first picture may still be shown there, and one
# that is made of pictures needs the news that it is over.
LONGEST_SHOWN_SECONDS = 60.0
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
FONT_SUFFIXES = {".ttf", ".otf", ".ttc", ".pfb"}
TEXTS, PICTURES = "burnt.ass", "burnt.mkv"
# What broadcasts without a word about it mean (ETSI EN 300 743), and how DVDs say it.
USUAL_CANVAS = (720, 576)
DVD_SIZE = re.compile(rb"size:\s*(\d+)x(\d+)")
PGS_COMPOSITION, DVB_DISPLAY = 0x16, 0x14
# Canvases that are so little wider or narrower than the video are meant to cover it.
SAME_SHAPE = 0.02


@dataclass(frozen=True)
class Burning:
    """What FFmpeg has to open for it beside the video, and the filters: over one picture or two."""

    inputs: list[str] = field(default_factory=list)
    text: str = ""
    drawn: str = ""
    laid: str = ""


def look(source: Path, picture: Picture, burnt: Json, step: "Context[Transcode]") -> None:
    """Note in `burnt` what all parts must know of pictures; for text a font must be there.

    Raises `StepError` when the server has none: then nothing at all would be drawn.
    """
    if not burnt["pictures"]:
        _refuse_without_fonts(step.name)
        return
    own = (picture.coded_width, picture.coded_height)
    width, height = canvas(source, burnt["index"], step.name) or own
    shapes = (picture.width / picture.height, picture.coded_width / picture.coded_height)
    covers = any(abs(width / height / shape - 1) <= SAME_SHAPE for shape in shapes)
    sideways = step.options.turn in {"right", "left"}
    burnt |= {"canvas": [width, height], "covers": covers and not sideways}


def canvas(source: Path, index: int, name: str) -> tuple[int, int] | None:
    """Return width and height of the field that a track's pictures are placed on.

    None when nothing tells, as in the files of DVDs, where it is as large as the video.
    """
    with opened(source, name) as container:
        stream = container.streams[index]
        codec = stream.codec_context.name
        told = DVD_SIZE.search(bytes(stream.codec_context.extradata or b""))
        if told:
            return int(told[1]), int(told[2])
        for packet in container.demux(stream):
            if packet.size:
                found = _field(codec, bytes(packet))
                return found if found and min(found) > 0 else None
    return None


def _field(codec: str, packet: bytes) -> tuple[int, int] | None:
    if "pgs" in codec and packet[:1] == bytes([PGS_COMPOSITION]):
        return int.from_bytes(packet[3:5], "big"), int.from_bytes(packet[5:7], "big")
    at = packet.find(bytes([0x0F, DVB_DISPLAY])) if "dvb" in codec else -1
    if at >= 0 and len(packet) >= at + 11:
        edges = (packet[at + 7 : at + 9], packet[at + 9 : at + 11])
        width, height = (int.from_bytes(edge, "big") + 1 for edge in edges)
        return width, height
    return USUAL_CANVAS if "dvb" in codec else None


def _refuse_without_fonts(name: str) -> None:
    for folder in FONT_FOLDERS:
        for path in Path(folder).rglob("*"):
            if path.suffix.lower() in FONT_SUFFIXES:
                return
    reason = f"no font is installed on the server, so the subtitles of {name} can't be drawn."
    raise StepError("tool_failed", tool="FFmpeg", reason=reason)


def prepare(source: Path, step: "Context[Transcode]", part: Json) -> Burning:
    """Write the subtitles around a part's pictures to a file; return how to draw them.

    FFmpeg's `subtitles` filter opens the file that it is told itself, without the limits of
    `ffmpeg.reading`; so it never gets the owner's. It must run in the step's folder.
    """
    burnt: Json | None = part["burnt"]
    if burnt is None:
        return Burning()
    if not burnt["pictures"]:
        _write(source, step, part, TEXTS, "ass")
        return Burning(text=f"subtitles=filename={TEXTS}")
    track, inputs = f"0:{burnt['index']}", []
    if part["start"] is not None:
        _write(source, step, part, PICTURES, "copy")
        if not _has_packets(step.path(PICTURES)):
            return Burning()
        track = "1:0"
        inputs = [*_canvas(burnt), *ffmpeg.reading(step.path(PICTURES))]
    size = f"{part['width']}:{part['height']}"
    how = "" if burnt["covers"] else ":force_original_aspect_ratio=decrease"
    place = "x=(W-w)/2:y=H-h:eof_action=pass"
    return Burning(inputs, drawn=f"[{track}]scale={size}{how}", laid=f"overlay={place}")


def _has_packets(path: Path) -> bool:
    """Tell whether anything was written: FFmpeg can't open a file of a track without a packet."""
    try:
        with av.open(str(path)) as container:
            return any(packet.size for packet in container.demux())
    except av.FFmpegError:
        return False


def own_canvas(part: Json) -> list[str]:
    """Return the arguments with which the video itself is opened where its own track is drawn."""
    burnt: Any = part.get("burnt")
    own = burnt is not None and burnt["pictures"] and part["start"] is None
    return _canvas(burnt) if own else []


def _canvas(burnt: Json) -> list[str]:
    return ["-canvas_size", "{}x{}".format(*burnt["canvas"])]


def _write(source: Path, step: "Context[Transcode]", part: Json, name: str, codec: str) -> None:
    """Write the track to a file of its own, with what is shown while the part's pictures are."""
    arguments = reading(source, part)
    if part["start"] is not None:
        base = part["base"][0] / part["base"][1]
        begin = max(0.0, part["start"] * base - LONGEST_SHOWN_SECONDS)
        seeking = ["-seek_timestamp", "1", "-ss", f"{begin:.6f}"] if begin else []
        after = LONGEST_SHOWN_SECONDS if codec == "copy" else 1.0
        until = f"{part['end'] * base + after:.6f}"
        arguments = [*seeking, "-to", until, "-copyts", *ffmpeg.reading(source)]
    arguments += ["-map", f"0:{part['burnt']['index']}", "-c:s", codec]
    ffmpeg.run([*arguments, str(step.path(name))], name=step.name, limits=step.limits)
