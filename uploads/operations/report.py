"""Writes what is known about one file as JSON and as a page: pictures, videos, sound, PDFs; others by type alone."""

import dataclasses
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError
from uploads.operations import ffmpeg, pdf_facts, pixels, report_page
from uploads.operations.base import Context, Json, Output
from uploads.operations.packets import Index, read_index
from uploads.operations.pdf_pages import PDF
from uploads.operations.probe import Media, clock, probe

if TYPE_CHECKING:
    from uploads.operations.inspect import Inspect

COMPLAINTS = 20
OWN = {"name", "media_type"}


def make(source: Path, step: "Context[Inspect]") -> Iterator[Output]:
    """Write `source-report.json` and a page of it; small facts are the output's meta too."""
    facts: Json = {
        "name": step.name,
        "media_type": step.media_type,
        "size_bytes": source.stat().st_size,
    }
    if not facts["size_bytes"]:
        raise InputError("empty_file", name=step.name)
    step.report(0.0, "reading")
    ffmpeg.refuse_text(source, step.name)
    if pixels.kind_of(source) is not None:
        facts |= _picture(source, step)
    elif step.media_type.partition("/")[0] in {"video", "audio"}:
        facts |= _media(source, step)
    elif step.media_type == PDF:
        facts |= pdf_facts.facts(source, step)
    else:
        facts["kind"] = "other"
    path = step.path("source-report.json")
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    shown = step.path("source-report-rows.html")
    shown.write_text(report_page.draw(facts), encoding="utf-8")
    # What a result's meta says of its type is its own, not that of the file it tells about.
    small = {k: v for k, v in facts.items() if isinstance(v, str | int | float) and k not in OWN}
    yield Output(path, role="report", meta={**small, "glance": report_page.glance(facts)})
    yield Output(shown, role="preview", meta={"page": True})
    if facts["kind"] == "document":
        yield from pdf_facts.first_page(source, step)


def _picture(source: Path, step: "Context[Inspect]") -> Json:
    header = pixels.read_header(source, step.name)
    facts: Json = {"kind": "image", "format": header.kind}
    facts |= {"width": header.width, "height": header.height, "frames": header.frames}
    if not step.options.full_decode:
        return facts
    pixels.refuse_large(header, step.name, step.limits)
    _, damaged = pixels.decode(source, header, step.name, None, frames=False)
    if damaged:
        step.warn("The picture is damaged or ends early.")
    return {**facts, "whole": not damaged}


def _media(source: Path, step: "Context[Inspect]") -> Json:
    media = probe(source, step.name, step.limits)
    if media.picture is None and not media.sounds:
        raise InputError("not_a_video", name=step.name)
    facts: Json = {
        "kind": "video" if media.picture else "audio",
        "format": media.container,
        "duration": round(media.duration, 3),
        "bit_rate": media.bit_rate,
        "video": _plain(media.picture) if media.picture else None,
        "audio": [_plain(sound) for sound in media.sounds],
        "subtitles": [track.codec for track in media.subtitles],
    }
    if not step.options.full_decode:
        return facts
    index = read_index(source, media, step)
    return {**facts, **_decoded(source, step, media, index)}


def _plain(track: object) -> Json:
    values = dataclasses.asdict(track)  # type: ignore[call-overload]
    return {k: float(v) if isinstance(v, Fraction) else v for k, v in values.items()}


def _decoded(source: Path, step: "Context[Inspect]", media: Media, index: Index) -> Json:
    """Decode every track once; returns `whole`, and `ends_at` of `duration` when it is cut off."""
    reached = {"frames": 0}

    def progress(frames: int, seconds: float) -> None:
        reached["frames"] = frames
        step.report(0.5 + 0.5 * min(1.0, seconds / max(0.1, media.duration)), "decoding")

    tracks = [f"0:{media.picture.index}"] if media.picture else []
    tracks += [f"0:{sound.index}" for sound in media.sounds if sound.codec != "unknown"]
    if not tracks:
        reason = "tracks that can't be decoded"
        raise InputError("media_unsupported", name=step.name, reason=reason)
    chosen = [argument for track in tracks for argument in ("-map", track)]
    chosen += ["-max_error_rate", "1"]  # damage is what is looked for, not a failure
    arguments = [*ffmpeg.reading(source), *chosen, "-fps_mode", "passthrough", "-f", "null", "-"]
    complaints = ffmpeg.run(arguments, name=step.name, limits=step.limits, progress=progress)
    facts: Json = {"whole": not complaints, "decoded_pictures": reached["frames"]}
    if complaints:
        facts["damage"] = complaints.splitlines()[:COMPLAINTS]
    if index.cut_off:
        ends, claimed = clock(index.reached_seconds), clock(index.claimed_seconds)
        step.warn(f"The file ends at {ends} of {claimed}.")
        facts |= {"whole": False, "ends_at": ends, "of": claimed}
        facts["ends_at_seconds"] = round(index.reached_seconds, 3)
    elif complaints:
        step.warn("The file is damaged in places.")
    return facts
