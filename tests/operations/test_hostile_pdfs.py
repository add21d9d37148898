"""Damaged and hostile PDFs: a result with a warning or a coded sentence, never a crash or a hang."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from pikepdf import Array, Dictionary, Name, Stream

from tests.operations import pdfs
from tests.operations.conftest import Told

OPERATIONS = (
    "pdf.pages",
    "pdf.merge",
    "pdf.split",
    "pdf.text",
    "pdf.compress",
    "pdf.ocr",
    "file.inspect",
)
TOLD = {"pdf_damaged", "not_a_pdf", "pdf_password", "pdf_locked", "pdf_no_text", "empty_file"}
PDF = "application/pdf"
SEED = 20
HEADS = (b"%PDF-1.7\n" + bytes(500), b"%PDF-1.7\n%%EOF", b"\n" * 2000 + b"%PDF-1.4")


def seeds(folder: Path) -> list[bytes]:
    """Return documents of different build: plain, with links, a form, packed, locked."""
    packed = folder / "packed.pdf"
    pdfs.document(packed, 4, compress_streams=True)
    plain = pdfs.document(folder / "plain.pdf", 3, compress_streams=False)
    files = [plain, packed, pdfs.linked(folder / "l.pdf"), pdfs.form(folder / "f.pdf")]
    files.append(pdfs.scan(folder / "s.pdf", [["Dear Mrs Miller,", "the harvest is in."]]))
    files.append(pdfs.locked(folder / "k.pdf", owner="secret"))
    return [file.read_bytes() for file in files]


def mutated(folder: Path, count: int, seed: int) -> list[Path]:
    dice, whole, paths = random.Random(seed), seeds(folder), []
    for number in range(count):
        path = folder / f"mutant-{seed}-{number}.pdf"
        path.write_bytes(pdfs.mutate(dice.choice(whole), dice) or b"%PDF-")
        paths.append(path)
    return paths


def survive(child: Callable[..., Told], operation: str, paths: list[Path]) -> None:
    batches = [[path] for path in paths] if operation == "pdf.merge" else [paths]
    options = {"dpi": 20} if operation == "pdf.pages" else {}
    for batch in batches:
        told = child(operation, *batch, media_type=PDF, options=options)
        assert set(told.codes) <= TOLD, told.of("error")
        assert len(told.of("done")) + len(told.codes) == (
            1 if operation == "pdf.merge" else len(batch)
        )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_mutants_end_in_a_result_or_in_words(
    operation: str, child: Callable[..., Told], tmp_path: Path
) -> None:
    count = 3 if operation == "pdf.merge" else 24
    survive(child, operation, mutated(tmp_path, count, SEED))


@pytest.mark.soak
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_thousand_mutants(operation: str, child: Callable[..., Told], tmp_path: Path) -> None:
    rounds = int(os.environ.get("TIDEMILL_SOAK_PDF_ROUNDS", "40"))
    for seed in range(rounds):
        folder = tmp_path / f"round-{seed}"
        folder.mkdir()
        survive(child, operation, mutated(folder, 25, 1000 + seed))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_head_alone_is_refused(
    operation: str, child: Callable[..., Told], tmp_path: Path
) -> None:
    paths = []
    for number, content in enumerate(HEADS):
        paths.append(tmp_path / f"head-{number}.pdf")
        paths[-1].write_bytes(content)
    for batch in [[path] for path in paths] if operation == "pdf.merge" else [paths]:
        codes = child(operation, *batch, media_type=PDF).codes
        assert len(codes) == len(batch) and set(codes) <= {"pdf_damaged", "not_a_pdf"}


def bomb(folder: Path, kind: str) -> Path:
    """Write a document that is small and wants much: a form within itself, many zeros, …"""
    pdf, path = pdfs.blank(1), folder / f"{kind}.pdf"
    page = pdf.pages[0]
    if kind == "within-itself":
        form = pdf.make_stream(b"/Fm0 Do")
        form.Type, form.Subtype, form.BBox = Name.XObject, Name.Form, Array([0, 0, 9, 9])
        form.Resources = Dictionary(XObject=Dictionary(Fm0=form))
        page.Resources.XObject = Dictionary(Fm0=form)
        page.contents_add(b"/Fm0 Do")
    elif kind == "zeros":
        import zlib

        packer = zlib.compressobj(9)
        data = b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()
        image = Stream(pdf, data)
        image.Type, image.Subtype, image.ColorSpace = Name.XObject, Name.Image, Name.DeviceGray
        image.Width = image.Height = 16_384
        image.BitsPerComponent, image.Filter = 8, Name.FlateDecode
        page.Resources.XObject = Dictionary(Im0=pdf.make_indirect(image))
        page.contents_add(b"q 100 0 0 100 0 0 cm /Im0 Do Q")
    elif kind == "wide":
        page.obj.MediaBox = Array([0, 0, 1e9, 3])
    elif kind == "outline":
        pdf.Root.Outlines = pdf.make_indirect(Dictionary())
        item = pdf.make_indirect(Dictionary(Title="again"))
        item.Next = item.First = item
        pdf.Root.Outlines.First = pdf.Root.Outlines.Last = item
    pdf.save(path)
    return path


@pytest.mark.parametrize("kind", ["within-itself", "zeros", "wide", "outline"])
@pytest.mark.parametrize("operation", ["pdf.pages", "pdf.merge", "pdf.compress", "pdf.ocr"])
def test_bombs_end_in_a_result_or_in_words(
    operation: str, kind: str, child: Callable[..., Told], tmp_path: Path
) -> None:
    told = child(operation, bomb(tmp_path, kind), media_type=PDF)
    assert set(told.codes) <= TOLD | {"out_of_memory"}, told.of("error")
    assert len(told.of("done")) + len(told.codes) == 1
