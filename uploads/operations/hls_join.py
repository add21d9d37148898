"""Puts the parts of each quality together, checks them, and writes the playlists."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import StepError
from uploads.operations import video_join
from uploads.operations.base import Context, Json, Output, PartResult
from uploads.operations.ladder import rendition_of, segments_of
from uploads.operations.playlists import MASTER, SOUND, Rendition, master, media
from uploads.operations.probe import opened

if TYPE_CHECKING:
    from uploads.operations.hls import Hls

COPY_BYTES = 1024 * 1024


def join(source: Path, step: "Context[Hls]", parts: Sequence[PartResult]) -> Iterator[Output]:
    """Write a file and a playlist for each quality, the sound, and the playlist of all.

    Raises `StepError` (`verification_failed`) when pictures are missing or times go back.
    """
    pieces = sorted(
        (part for part in parts if part.params["kind"] == "segment"),
        key=lambda part: part.params["start"] or 0,
    )
    sounds = [part for part in parts if part.params["kind"] == "sound"]
    shape = pieces[0].params
    expected = sum(part.params["frames"] for part in pieces)
    damaged = any(meta.get("damaged") for part in parts for meta in part.meta)
    bits = sounds[0].meta[0]["bits"] if sounds else 0
    renditions: list[Rendition] = []
    inner: list[Path] = []
    for place, quality in enumerate(shape["ladder"]):
        step.report(0.9 * place / len(shape["ladder"]), "joining")
        target = step.path(f"{quality['name']}.mp4")
        _concatenate(
            target, [part.paths[place] for part in pieces], [p.meta[place] for p in pieces]
        )
        segments = segments_of(pieces[-1].params, [part.meta[place] for part in pieces])
        counted = shape["start"] is not None and not damaged
        _check(target, step.name, expected if counted else None)
        text = step.path(f"{quality['name']}.m3u8")
        head = pieces[0].meta[place]["head"]
        text.write_text(media(target.name, head, segments, step.options.segment, whole=True))
        renditions.append(rendition_of(quality, shape, pieces[0].meta[place], segments, bits))
        inner += [target, text]
    for part in sounds:
        for path in part.paths:
            inner.append(step.path(SOUND + path.suffix))
            shutil.copyfile(path, inner[-1])
    if damaged:
        step.warn("The source is damaged in places; look at the result there.")
    yield from _outputs(source, step, shape, renditions, inner)


def _outputs(
    source: Path, step: "Context[Hls]", shape: Json, renditions: list[Rendition], inner: list[Path]
) -> Iterator[Output]:
    text = step.path(MASTER)
    text.write_text(master(renditions, sound=bool(shape["sounds"])))
    best = renditions[0]
    made = video_join.measure(step.path(f"{best.name}.mp4"), step.name)
    meta: Json = {
        "folder": "source",
        "width": best.width,
        "height": best.height,
        "duration": round(made.picture_end - made.picture_start, 3),
        "qualities": [rendition.name for rendition in renditions],
        "source_bytes": source.stat().st_size,
        **{key: shape[key] for key in ("sample_share",) if key in shape},
    }
    yield Output(text, meta=meta)
    for path in inner:
        yield Output(path, role="inner", meta={"folder": "source"})
    best_file = step.path(f"{best.name}.mp4")
    # FFmpeg seeks from where a file begins, which is not zero here.
    made = replace(made, picture_start=0.0, picture_end=made.picture_end - made.picture_start)
    yield video_join.poster(best_file, step, made, (best.width, best.height))


def _concatenate(target: Path, paths: Sequence[Path], metas: Sequence[Json]) -> None:
    """Write the first file's head and then all fragments, byte for byte."""
    with target.open("wb") as joined:
        for place, (path, meta) in enumerate(zip(paths, metas, strict=True)):
            first, last = meta["fragments"][0], meta["fragments"][-1]
            begin = 0 if place == 0 else first[0]
            left = last[0] + last[1] - begin
            with path.open("rb") as part:
                part.seek(begin)
                while left and (piece := part.read(min(left, COPY_BYTES))):
                    joined.write(piece)
                    left -= len(piece)


def _check(path: Path, name: str, expected: int | None) -> None:
    """Count the pictures and see that they are decoded in order."""
    found, before = 0, None
    with opened(path, name) as container:
        for packet in container.demux(video=0):
            if not packet.size:
                continue
            if before is not None and packet.dts <= before:
                raise _differs(name, "times go back where two parts meet.")
            before = packet.dts
            found += 1
    if expected is not None and found != expected:
        raise _differs(name, f"{found} pictures instead of {expected}.")


def _differs(name: str, reason: str) -> StepError:
    return StepError("verification_failed", name=name, reason=reason)
