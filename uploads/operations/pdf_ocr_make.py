"""Recognises the text of a document's pages: planned by their sizes, read, laid under them."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pikepdf

from uploads.errors import InputError, StepError
from uploads.operations import ocr_layer, ocr_pages, page_ranges, pdf_draw, pdf_file, pdf_save
from uploads.operations.base import Context, Json, Output, Part, PartResult
from uploads.operations.ocr_read import Found, Reader

if TYPE_CHECKING:
    from uploads.operations.pdf_ocr import Recognise

MIB = 1024**2
# A part takes about so long, so that many workers share a document and a kill costs little.
PART_SECONDS = 8.0
# Measured on printed text; photographs take less, tables more.
PAGE_SECONDS, MEGAPIXEL_SECONDS = 0.4, 0.25
BASE_BYTES, BYTES_PER_PIXEL = 420 * MIB, 14
# A sample reads this many pages of a document, evenly spread.
SAMPLE_PAGES = 4
# Tesseract's confidence below which a page has more mistakes than anyone expects.
DOUBTFUL = 65


def plan(source: Path, step: "Context[Recognise]") -> list[Part]:
    """Return parts of a few seconds each; pages that have text are in none of them.

    Raises `InputError` as pictures and documents do, and `pdf_no_page` for pages that aren't there.
    """
    with (
        ocr_pages.shown(source, step) as whole,
        pdf_draw.opened(whole, step, pdf_draw.EXTRACTING) as document,
    ):
        count = len(document)
        wanted = page_ranges.chosen(step.options.pages, count, step.name)
        sampled = step.sample_seconds is not None
        tried = page_ranges.spread(wanted, SAMPLE_PAGES) if sampled else wanted
        pages = []
        for done, place in enumerate(tried):
            step.report(done / len(tried), f"looking at page {place + 1} of {count}")
            sized = ocr_pages.look(document, place, step)
            pages += [] if sized is None else [sized]
    facts: Json = {"count": count, "wanted": len(tried)}
    if len(tried) < len(wanted):
        facts["sample_share"] = round(len(tried) / len(wanted), 6)
    # Each part of a picture would make its document anew.
    groups = _groups(pages) if whole == source else [pages]
    return [_part(group, facts) for group in groups]


def _groups(pages: Sequence[Json]) -> Iterator[list[Json]]:
    """Yield pages put together; a single empty group when nothing is to be read."""
    group: list[Json] = []
    for page in pages:
        group.append(page)
        if sum(map(_seconds, group)) >= PART_SECONDS:
            yield group
            group = []
    if group or not pages:
        yield group


def _seconds(page: Json) -> float:
    return PAGE_SECONDS + float(page["pixels"]) / 1e6 * MEGAPIXEL_SECONDS


def _part(group: list[Json], facts: Json) -> Part:
    largest = max((page["pixels"] for page in group), default=0)
    return Part(
        {"pages": group, **facts},
        weight=max(0.1, sum(map(_seconds, group))),
        memory_bytes=BASE_BYTES + BYTES_PER_PIXEL * largest,
        disk_bytes=4 * MIB + largest,
    )


def read(source: Path, step: "Context[Recognise]", part: Json) -> Iterator[Output]:
    """Read the pages of one part: their texts as JSON, their unseen layers as one document."""
    facts: list[Json] = []
    with (
        Reader(step) as reader,
        ocr_pages.shown(source, step) as whole,
        pdf_draw.opened(whole, step, pdf_draw.EXTRACTING) as document,
        pikepdf.new() as layers,
    ):
        for done, page in enumerate(part["pages"]):
            step.report(done / len(part["pages"]), f"page {page['place'] + 1} of {part['count']}")
            told: Json = {"place": page["place"], "turn": 0, "text": "", "layer": None}
            facts.append(told)
            picture = ocr_pages.draw(document, page, step)
            if picture is None:
                step.warn(f"Page {page['place'] + 1} can't be drawn: not recognised.")
                continue
            if step.options.turn and (turn := reader.direction(picture)):
                ocr_pages.turn(picture, turn)
                told["turn"] = turn
            found = reader.read(picture, page["dpi"])
            picture.unlink()
            if found is None:
                step.warn(f"Page {page['place'] + 1} took too long: not recognised.")
                continue
            told |= {"text": found.text, "words": found.words, "confidence": found.confidence}
            _keep(found, told, layers)
        first = part["pages"][0]["place"] + 1 if part["pages"] else 0
        texts, under = step.path(f"texts-{first}.json"), step.path(f"layers-{first}.pdf")
        texts.write_text(json.dumps(facts, ensure_ascii=False))
        layers.save(under)
    yield Output(texts)
    yield Output(under)


def _keep(found: Found, told: Json, layers: pikepdf.Pdf) -> None:
    """Append a page's layer to those of its part, where it has words."""
    if found.words:
        with pikepdf.open(found.layer) as layer:
            layers.pages.extend(layer.pages)
        told["layer"] = len(layers.pages) - 1
    found.layer.unlink()


def join(source: Path, step: "Context[Recognise]", parts: Sequence[PartResult]) -> Iterator[Output]:
    """Lay all texts under their pages and write them down; nothing else of a document changes."""
    pages = [page for part in parts for page in json.loads(part.paths[0].read_text())]
    first = parts[0].params
    meta = {
        "pages": first["count"],
        "recognised": len(pages),
        "words": sum(page.get("words", 0) for page in pages),
    }
    meta |= {key: first[key] for key in ("sample_share",) if key in first}
    _tell(pages, first["wanted"], step)
    with ocr_pages.shown(source, step) as whole:
        if step.options.result != "text":
            target = step.path("source.pdf")
            if pages:
                _lay(whole, target, parts, pages, step)
            else:
                shutil.copyfile(whole, target)
            yield Output(target, meta=meta)
            yield from pdf_save.first_page(target, step)
        if step.options.result != "pdf":
            texts = {page["place"]: page["text"] for page in pages}
            yield Output(ocr_pages.write_text(whole, texts, step), meta=meta)


def _lay(
    whole: Path, target: Path, parts: Sequence[PartResult], pages: Sequence[Json],
    step: "Context[Recognise]",
) -> None:  # fmt: skip
    """Write the document with its texts, and read it back.

    Raises `InputError` (`pdf_damaged`) for one that can't be repaired, else `StepError`
    (`verification_failed`) if its pages or texts aren't there.
    """
    with pdf_file.opened(whole, step.name, step, "modify_other") as pdf:
        pdf_save.warn_of_signature(pdf, step.name, step)
        for done, part in enumerate(parts):
            step.report(0.8 * done / len(parts), "putting the text in its place")
            told = json.loads(part.paths[0].read_text())
            with pikepdf.open(part.paths[1]) as layers, pdf_file.reading(step.name):
                ocr_layer.lay(pdf, layers, told)
        count = len(pdf.pages)
        pdf_save.save(pdf, target)
    try:
        pdf_save.check(target, count, step)
        ocr_layer.check(target, pages, step)
    except StepError as error:
        if pdf_file.is_sound(whole):
            raise
        reason = "it can't be repaired."
        raise InputError("pdf_damaged", name=step.name, reason=reason) from error


def _tell(pages: Sequence[Json], wanted: int, step: "Context[Recognise]") -> None:
    """Say what the owner should know of the pages: turned, doubtful, empty, left alone."""
    kinds = Counter(_kind(page) for page in pages)
    read = [page for page in pages if page.get("words")]
    if read:
        words = sum(page["words"] for page in read)
        sure = sum(page["words"] * page["confidence"] for page in read) / words
        step.log(f"{words:,} words on {len(read)} pages, read with a confidence of {sure:.0f} %.")
    doubtful = [page["place"] + 1 for page in pages if _kind(page) == "doubtful"]
    if doubtful:
        step.warn(
            f"Hard to read, so expect mistakes: {page_ranges.listed(doubtful)}. Are the languages "
            f"({step.options.languages}) right?"
        )
    if pages and kinds["empty"] == len(pages):
        step.warn(f"No text was found on {page_ranges.listed([p['place'] + 1 for p in pages])}.")
    elif kinds["empty"]:
        empty = [page["place"] + 1 for page in pages if _kind(page) == "empty"]
        step.log(f"No text on {page_ranges.listed(empty)}.")
    turned = [page["place"] + 1 for page in pages if page["turn"]]
    if turned:
        step.log(f"Turned upright: {page_ranges.listed(turned)}.")
    left = wanted - len(pages)
    if left:
        step.log(f"{left} of {wanted} pages had their text already and stay as they are.")


def _kind(page: Json) -> str:
    if not page.get("words"):
        return "empty"
    return "doubtful" if page["confidence"] < DOUBTFUL else "read"
