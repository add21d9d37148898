"""Makes the pictures of a document's pages: planned by their sizes, drawn, counted."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uploads.errors import InputError, StepError
from uploads.operations import page_ranges, pdf_draw, pixels
from uploads.operations.base import Context, Json, Output, Part, PartResult
from uploads.operations.preview import preview

if TYPE_CHECKING:
    from uploads.operations.pdf_pages import Pages

MIB = 1024**2
# A part takes about so long, so that many workers share a document and a kill costs little.
PART_SECONDS = 6.0
PART_MOST_PAGES = 100
# Each page, and each megapixel of it: between text (0.01) and photographs (0.1), as measured.
PAGE_SECONDS = 0.02
MEGAPIXEL_SECONDS = {"png": 0.05, "jpeg": 0.025, "webp": 0.045}
# The page itself and what the encoder holds of it.
BASE_BYTES, BYTES_PER_PIXEL = 200 * MIB, 10
LONGEST = {"png": 65_500, "jpeg": 65_500, "webp": 16_383}
# A sample draws this many pages of a document, evenly spread.
SAMPLE_PAGES = 8
# Smaller pictures stand for themselves on pages.
PREVIEW_MAX_EDGE = 480


def plan(source: Path, step: "Context[Pages]") -> list[Part]:
    """Return parts of a few seconds each: the places of their pages, and pixels a point of each.

    Raises `InputError` (`pdf_no_page`) for pages that aren't there.
    """
    with pdf_draw.opened(source, step, pdf_draw.PRINTING) as document:
        count = len(document)
        wanted = page_ranges.chosen(step.options.pages, count, step.name)
        sampled = step.sample_seconds is not None
        drawn = page_ranges.spread(wanted, SAMPLE_PAGES) if sampled else wanted
        sizes = [(place, *pdf_draw.size_of(document, place)) for place in drawn]
    drawings = [_drawing(place, width, height, step) for place, width, height in sizes]
    facts: Json = {"count": count, "wanted": len(drawn)}
    facts["previews"] = any(page["edge"] > PREVIEW_MAX_EDGE for page in drawings)
    if len(drawn) < len(wanted):
        facts["sample_share"] = round(len(drawn) / len(wanted), 6)
    parts: list[Part] = []
    group: list[Json] = []
    for drawing in drawings:
        group.append(drawing)
        if sum(page["seconds"] for page in group) >= PART_SECONDS or len(group) == PART_MOST_PAGES:
            parts.append(_part(group, facts))
            group = []
    return [*parts, _part(group, facts)] if group else parts


def _drawing(place: int, width: float, height: float, step: "Context[Pages]") -> Json:
    """Return how one page is drawn: what would be beyond the limits is drawn smaller."""
    options = step.options
    asked = options.dpi / pdf_draw.POINTS_PER_INCH
    if options.longest_edge:
        # A hair less, so that rounding up does not make it a pixel longer.
        asked = options.longest_edge / max(width, height) * (1 - 1e-9)
    most = (step.limits.image_max_pixels / (width * height)) ** 0.5
    scale = min(asked, most * (1 - 1e-4), (LONGEST[options.format] - 1) / max(width, height))
    pixel_count = max(1.0, width * scale) * max(1.0, height * scale)
    seconds = PAGE_SECONDS + pixel_count / 1e6 * MEGAPIXEL_SECONDS[options.format]
    reduced = asked if scale < asked * (1 - 1e-6) else None
    return {
        "place": place,
        "scale": scale,
        "asked": reduced,
        "seconds": round(seconds, 4),
        "pixels": round(pixel_count),
        "edge": round(max(width, height) * scale),
    }


def _part(group: list[Json], facts: Json) -> Part:
    largest = max(page["pixels"] for page in group)
    return Part(
        {"pages": group, **facts},
        weight=sum(page["seconds"] for page in group),
        memory_bytes=BASE_BYTES + BYTES_PER_PIXEL * largest,
        disk_bytes=MIB + sum(page["pixels"] for page in group) * 3,
    )


def draw(source: Path, step: "Context[Pages]", part: Json) -> Iterator[Output]:
    """Draw the pages of one part; one that can't be drawn is left out with a warning."""
    options = step.options
    look = pdf_draw.Look(options.grey, options.ground == "transparent", options.notes)
    digits = len(str(part["count"]))
    with pdf_draw.opened(source, step, pdf_draw.PRINTING) as document:
        for done, page in enumerate(part["pages"]):
            number = page["place"] + 1
            step.report(done / len(part["pages"]), f"page {number} of {part['count']}")
            image = pdf_draw.draw(document, page["place"], page["scale"], look)
            if image is None:
                step.warn(f"Page {number} can't be drawn: left out.")
                continue
            stem = f"source-{number:0{digits}}"
            path = step.path(stem + pixels.SUFFIXES[options.format])
            pixels.write(image, path, options.format, options.quality, "strip")
            yield Output(path, meta=_meta(page, path, step))
            if part["previews"]:
                small = preview(image, step, stem)
                yield Output(small.path, meta={**small.meta, "small": True})


def _meta(page: Json, path: Path, step: "Context[Pages]") -> Json:
    """Read a finished picture's header back; what its page is, and where it became smaller."""
    header = pixels.read_header(path, step.name)
    number, dpi = page["place"] + 1, page["scale"] * pdf_draw.POINTS_PER_INCH
    if abs(header.width * header.height - page["pixels"]) > header.width + header.height + 1:
        reason = f"the picture of page {number} has {header.width} × {header.height} pixels."
        raise StepError("verification_failed", name=step.name, reason=reason)
    if page["asked"]:
        asked = page["asked"] * pdf_draw.POINTS_PER_INCH
        step.warn(
            f"Page {number} is so large that it was drawn with {dpi:.0f} dots per inch instead of "
            f"{asked:.0f}: {header.width} × {header.height} pixels are the most that is allowed."
        )
    return {"width": header.width, "height": header.height, "page": number, "dpi": round(dpi, 1)}


def join(source: Path, step: "Context[Pages]", parts: Sequence[PartResult]) -> Iterator[Output]:
    """Hand on all pictures in the order of the pages asked for, and the first one small.

    Raises `InputError` (`pdf_damaged`) when not a single page could be drawn.
    """
    made = [pair for part in parts for pair in zip(part.paths, part.meta, strict=True)]
    pages = sum(not meta.get("small") for _, meta in made)
    if not pages:
        raise InputError("pdf_damaged", name=step.name, reason="not one of its pages can be drawn.")
    first = parts[0].params
    facts = {key: first[key] for key in ("sample_share",) if key in first}
    for done, (path, meta) in enumerate(made):
        step.report(done / len(made), "collecting")
        target = step.path("source" + path.name.rpartition("source")[2])
        if path != target:
            shutil.copyfile(path, target)
        if meta.get("small"):
            size = {"width": meta["width"], "height": meta["height"]}
            yield Output(target, role="preview", meta=size)
        else:
            yield Output(target, meta={**meta, **facts})
    missing = first["wanted"] - pages
    step.log(f"{pages} of {first['count']} pages" + (f"; {missing} left out." if missing else "."))
