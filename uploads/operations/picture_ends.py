"""What libvips does not tell of a JPEG or PNG: what lies behind it, as in moving photographs; its frames."""

from pathlib import Path

SIGNATURE_BYTES, CHUNK_BYTES = 8, 12  # of a PNG; a chunk's length, kind and checksum
HEAD_BYTES, CHECKSUM_BYTES = 8, 4
MOST_CHUNKS = 1000
JPEG_BEGIN_BYTES, MARKER_BYTES = 2, 2
END, SCAN, COMMENT = 0xD9, 0xDA, 0xFE
# The first of them is JFIF's; Adobe's tells how colours are stored.
APP0, APP15, ADOBE = 0xE0, 0xEF, 0xEE
# Markers without a length: a stuffed byte, restarts.
BARE = {0x00, 0x01, *range(0xD0, 0xD8)}


def behind(content: bytes) -> bytes:
    """Return what lies behind the end of a JPEG or PNG; nothing where no end is found, or only zeros."""
    end = _end_of_png(content) if content.startswith(b"\x89PNG") else _end_of_jpeg(content)
    rest = content[end:]
    return rest if rest.strip(b"\0") else b""


def without_notes(content: bytes) -> bytes:
    """Return a JPEG that decodes, without notes and what lies behind it; its profile of colours stays."""
    end, at = _end_of_jpeg(content), JPEG_BEGIN_BYTES
    made = [content[:at]]
    while at + MARKER_BYTES < end and content[at] == 0xFF and content[at + 1] != SCAN:
        size = MARKER_BYTES + int.from_bytes(content[at + 2 : at + 4], "big")
        size = 1 if content[at + 1] == 0xFF else size
        piece = content[at : at + size]
        made += [] if _is_note(piece) else [piece]
        at += size
    return b"".join(made) + content[at:end]


def _is_note(segment: bytes) -> bool:
    said = segment[4:]
    if segment[1] == APP0:
        return not said.startswith(b"JFIF")
    if segment[1] == APP0 + 2:
        return not said.startswith(b"ICC_PROFILE")
    return segment[1] == COMMENT or (APP0 < segment[1] <= APP15 and segment[1] != ADOBE)


def frames_of_png(source: Path) -> int:
    """Return how many frames a PNG has; libvips reads the first one alone."""
    with source.open("rb") as file:
        file.seek(SIGNATURE_BYTES)
        for _ in range(MOST_CHUNKS):
            head = file.read(HEAD_BYTES)
            if head[4:] == b"acTL":
                return max(1, int.from_bytes(file.read(4), "big"))
            if len(head) < HEAD_BYTES or head[4:] == b"IDAT":
                break
            file.seek(int.from_bytes(head[:4], "big") + CHECKSUM_BYTES, 1)
    return 1


def _end_of_png(content: bytes) -> int:
    at = SIGNATURE_BYTES
    while at < len(content):
        kind = content[at + 4 : at + 8]
        at += int.from_bytes(content[at : at + 4], "big") + CHUNK_BYTES
        if kind == b"IEND":
            break
    return min(at, len(content))


def _end_of_jpeg(content: bytes) -> int:
    at = JPEG_BEGIN_BYTES
    while (at := content.find(b"\xff", at)) >= 0 and at + 1 < len(content):
        marker = content[at + 1]
        if marker == END:
            return at + MARKER_BYTES
        if marker == 0xFF:  # filling
            at += 1
        elif marker in BARE:
            at += MARKER_BYTES
        else:  # what follows a scan's own header is found by its next marker
            at += MARKER_BYTES + int.from_bytes(content[at + 2 : at + 4], "big")
    return len(content)
