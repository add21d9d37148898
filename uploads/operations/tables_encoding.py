"""The encoding of a text, found by its bytes; what follows reads UTF-8."""

import codecs
from pathlib import Path

from uploads.errors import InputError
from uploads.operations.duck import Duck, Span
from uploads.operations.tables_given import Given

PIECE_BYTES = 1024**2
LOOKS = 24
JSON = ("application/json", "application/x-ndjson")
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(path: Path) -> str:
    """Return `utf-8`, `utf-16`, `utf-32` or `cp1252`: by the first bytes, else by some looks."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        for bom, encoding in BOMS:
            if head.startswith(bom):
                return encoding
        for look in range(LOOKS):
            file.seek(size * look // LOOKS)
            if not _is_utf8(file.read(PIECE_BYTES // 4), whole=look == 0):
                return "cp1252"
    return "utf-8"


def _is_utf8(piece: bytes, *, whole: bool) -> bool:
    """Tell whether a piece cut out of a file can be UTF-8; letters cut in two do not count."""
    if not whole:
        piece = piece.lstrip(bytes(range(0x80, 0xC0)))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(piece)
    except UnicodeDecodeError:
        return False
    return True


def _marked_json(given: Given) -> bool:
    """Tell whether JSON begins with a mark of its encoding, which its reader takes for a value."""
    with given.path.open("rb") as file:
        return given.media_type in JSON and file.read(3) == codecs.BOM_UTF8


def as_utf8(given: Given, duck: Duck, span: Span) -> Path:
    """Return the file, or a copy of it in UTF-8; a letter that is none becomes �."""
    encoding = encoding_of(given.path)
    with given.path.open("rb") as file:
        if encoding in {"utf-8", "cp1252"} and b"\0" in file.read(PIECE_BYTES):
            raise InputError("not_a_table", name=given.name, reason="it is no text.")
    if encoding == "utf-8" and not _marked_json(given):
        return given.path
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    duck.step.log(f"{given.name} is written in {encoding.upper()}.")
    target = duck.path(f"{given.label}.utf8")
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    size, done = given.path.stat().st_size, 0
    with given.path.open("rb") as file, target.open("w", encoding="utf-8", newline="") as made:
        while piece := file.read(PIECE_BYTES):
            made.write(decoder.decode(piece))
            done += len(piece)
            duck.report(span[0] + (span[1] - span[0]) * done / size, "reading")
        made.write(decoder.decode(b"", final=True))
    return target
