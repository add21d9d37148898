"""What a file is, from its bytes: kind and media type; an ending only decides between near kin.

Own table, because libmagic, filetype and puremagic each name some of these wrongly.
Nothing is decoded here. Text that points to other files (playlists, ffconcat) and SVG
are never called media: they make decoders open what they name.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from uploads import packed
from uploads.packed import Packing
from uploads.sniff_text import text_type

HEAD_BYTES: Final = 64 * 1024
TABLES: Final = (
    "text/csv",
    "text/tab-separated-values",
    "application/json",
    "application/x-ndjson",
)
PACKED_TABLES: Final = tuple(table + suffix for suffix in packed.SUFFIXES for table in TABLES)


@dataclass(frozen=True)
class Found:
    """A file's kind (image, video, audio, document, data, archive, text, other) and media type."""

    kind: str
    media_type: str


UNKNOWN: Final = Found("other", "application/octet-stream")

# Bytes at an offset; the first that fits wins.
MAGIC: Final[tuple[tuple[int, bytes, str, str], ...]] = (
    (0, b"\xff\xd8\xff", "image", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image", "image/png"),
    (0, b"GIF87a", "image", "image/gif"),
    (0, b"GIF89a", "image", "image/gif"),
    (0, b"II*\0", "image", "image/tiff"),
    (0, b"MM\0*", "image", "image/tiff"),
    (0, b"II+\0", "image", "image/tiff"),
    (0, b"MM\0+", "image", "image/tiff"),
    (0, b"\0\0\0\x0cjP  \r\n", "image", "image/jp2"),
    (0, b"\0\0\0\x0cJXL \r\n", "image", "image/jxl"),
    (0, b"\xff\x0a", "image", "image/jxl"),
    (0, b"8BPS\0", "image", "image/vnd.adobe.photoshop"),
    (0, b"\0\0\x01\0", "image", "image/vnd.microsoft.icon"),
    (0, b"v/1\x01", "image", "image/x-exr"),
    (0, b"qoif", "image", "image/x-qoi"),
    (0, b"%!PS", "document", "application/postscript"),
    (0, b"{\\rtf", "document", "application/rtf"),
    (0, b"AT&TFORM", "document", "application/vnd.djvu"),
    (0, b"PAR1", "data", "application/vnd.apache.parquet"),
    (0, b"SQLite format 3\0", "data", "application/vnd.sqlite3"),
    (0, b"ARROW1\0\0", "data", "application/vnd.apache.arrow.file"),
    (0, b"Obj\x01", "data", "application/vnd.apache.avro"),
    (0, b"\x89HDF\r\n\x1a\n", "data", "application/x-hdf5"),
    (0, b"\x1f\x8b", "archive", "application/gzip"),
    (0, b"\xfd7zXZ\0", "archive", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "archive", "application/zstd"),
    (0, b"BZh", "archive", "application/x-bzip2"),
    (0, b"7z\xbc\xaf\x27\x1c", "archive", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "archive", "application/vnd.rar"),
    (0, b"MSCF\0\0\0\0", "archive", "application/vnd.ms-cab-compressed"),
    (257, b"ustar", "archive", "application/x-tar"),
    (0, b"fLaC", "audio", "audio/flac"),
    (0, b"MThd", "audio", "audio/midi"),
    (0, b"#!AMR", "audio", "audio/amr"),
    (0, b"wvpk", "audio", "audio/x-wavpack"),
    (0, b"TTA1", "audio", "audio/x-tta"),
    (0, b"MAC ", "audio", "audio/x-ape"),
    (0, b"MPCK", "audio", "audio/x-musepack"),
    (0, b"MP+", "audio", "audio/x-musepack"),
    (0, b"DSD ", "audio", "audio/x-dsf"),
    (0, b"\x7f\xfe\x80\x01", "audio", "audio/vnd.dts"),
    (0, b"caff\0", "audio", "audio/x-caf"),
    (0, b".snd", "audio", "audio/basic"),
    (0, b"FLV\x01", "video", "video/x-flv"),
    (0, b"\0\0\x01\xba", "video", "video/mpeg"),
    (0, b"\0\0\x01\xb3", "video", "video/mpeg"),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "video", "application/mxf"),
)

RIFF: Final = {
    b"WEBP": Found("image", "image/webp"),
    b"WAVE": Found("audio", "audio/x-wav"),
    b"AVI ": Found("video", "video/x-msvideo"),
}
BRANDS: Final = {
    b"avif": Found("image", "image/avif"),
    b"avis": Found("image", "image/avif"),
    b"heic": Found("image", "image/heic"),
    b"heix": Found("image", "image/heic"),
    b"hevc": Found("image", "image/heic"),
    b"mif1": Found("image", "image/heif"),
    b"msf1": Found("image", "image/heif"),
    b"crx ": Found("image", "image/x-canon-cr3"),
    b"M4A ": Found("audio", "audio/mp4"),
    b"M4B ": Found("audio", "audio/mp4"),
    b"M4P ": Found("audio", "audio/mp4"),
    b"qt  ": Found("video", "video/quicktime"),
}
OLD_QUICKTIME: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
ZIP_MEMBERS: Final = (
    (b"word/", "vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "vnd.openxmlformats-officedocument.presentationml.presentation"),
)
ZIP_TYPE: Final = re.compile(
    rb"mimetype(application/(?:epub\+zip|vnd\.oasis\.opendocument\.[a-z]+))"
)
OLE: Final = {
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "msg": "application/vnd.ms-outlook",
}
# Containers that hold sound alone as often as pictures: here the ending knows better.
AUDIO_ENDINGS: Final = {
    "m4a": "audio/mp4",
    "m4b": "audio/mp4",
    "mka": "audio/x-matroska",
    "weba": "audio/webm",
    "oga": "audio/ogg",
    "wma": "audio/x-ms-wma",
}


def sniff(path: Path, name: str) -> Found:
    """Return what the file is; reads its first and last 64 KiB, of packed ones the first MiB."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        size = path.stat().st_size
        file.seek(max(0, size - HEAD_BYTES))
        tail = file.read(HEAD_BYTES)
    ending = name.rpartition(".")[2].lower()
    found = _by_magic(head) or _by_container(head, tail, ending) or _by_frames(head)
    if found is None:
        return _text(head, ending, whole=size <= HEAD_BYTES)
    if found.kind == "video" and ending in AUDIO_ENDINGS:
        return Found("audio", AUDIO_ENDINGS[ending])
    packing = packed.packing_of(found.media_type)
    return (_packed(path, name, packing) or found) if packing else found


def _packed(path: Path, name: str, packing: Packing) -> Found | None:
    """Return the type of a table that is packed; no more than 64 KiB of it are unpacked."""
    with path.open("rb") as file:
        inside = packing.head(file.read(packed.HEAD_BYTES), HEAD_BYTES)
    plain = next((name[: -len(end)] for end in packing.endings if name.lower().endswith(end)), name)
    ending = plain.rpartition(".")[2].lower()
    if _by_magic(inside) or _by_container(inside, b"", ending) or _by_frames(inside):
        return None
    found = _text(inside, ending, whole=False)
    return Found("data", found.media_type + packing.suffix) if found.media_type in TABLES else None


def _by_magic(head: bytes) -> Found | None:
    for offset, magic, kind, media_type in MAGIC:
        if head.startswith(magic, offset):
            return Found(kind, media_type)
    if b"%PDF-" in head[:1024]:
        return Found("document", "application/pdf")
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return Found("image", "image/bmp")
    return None


def _by_container(head: bytes, tail: bytes, ending: str) -> Found | None:
    if head[:4] in {b"RIFF", b"RF64"}:
        return RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return Found("audio", "audio/aiff")
    if head[4:8] == b"ftyp":
        return _brand(head)
    if head[4:8] in OLD_QUICKTIME and head[:2] == b"\0\0":
        return Found("video", "video/quicktime")
    if head.startswith(b"\x1aE\xdf\xa3"):
        webm = b"webm" in head[:64]
        return Found("video", "video/webm" if webm else "video/x-matroska")
    if head.startswith(b"OggS"):
        pictures = b"\x80theora" in head[:4096] or b"BBCD\0" in head[:4096]
        return Found("video", "video/ogg") if pictures else Found("audio", "audio/ogg")
    if head.startswith(b"0&\xb2u\x8ef\xcf\x11"):
        return Found("video", "video/x-ms-wmv")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(head, tail)
    if (
        head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F
    ):  # a frame to skip (RFC 8878, 3.1.2)
        return Found("archive", "application/zstd")
    if _is_old_tar(head):
        return Found("archive", "application/x-tar")
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return Found("document", OLE.get(ending, "application/x-ole-storage"))
    return None


def _is_old_tar(head: bytes) -> bool:
    """Tell whether a header without a signature adds up, as those before POSIX do."""
    written = head[148:156].strip(b" \0")
    if len(head) < 512 or not re.fullmatch(rb"[0-7]{3,7}", written):
        return False
    block = head[:148] + b" " * 8 + head[156:512]
    return int(written, 8) in {sum(block), sum(block) - 256 * sum(byte > 127 for byte in block)}


def _brand(head: bytes) -> Found:
    """Return the type of an ISO base media file: its main brand, then its compatible ones."""
    size = min(int.from_bytes(head[:4], "big"), 256)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size, 4))]
    if brands[0] in BRANDS and brands[0] not in {b"mif1", b"msf1"}:
        return BRANDS[brands[0]]
    if brands[0] in {b"mif1", b"msf1"}:
        closer = [brand for brand in brands[1:] if brand in BRANDS and brand[1:] != b"if1"]
        return BRANDS[closer[0] if closer else brands[0]]
    return Found("video", "video/3gpp" if brands[0].startswith(b"3g") else "video/mp4")


def _zip(head: bytes, tail: bytes) -> Found:
    """Return the type of a ZIP from its members' names, in the first and in the last bytes."""
    if typed := ZIP_TYPE.search(head[:128]):
        return Found("document", typed[1].decode())
    names = _member_names(head, b"PK\x03\x04", 26, 30) + _member_names(tail, b"PK\x01\x02", 28, 46)
    if b"[Content_Types].xml" in names:
        for folder, media_type in ZIP_MEMBERS:
            if any(name.startswith(folder) for name in names):
                return Found("document", f"application/{media_type}")
    return Found("archive", "application/zip")


def _member_names(part: bytes, magic: bytes, length_at: int, name_at: int) -> list[bytes]:
    names = []
    for match in re.finditer(re.escape(magic), part):
        start = match.start()
        length = int.from_bytes(part[start + length_at : start + length_at + 2], "little")
        names.append(part[start + name_at : start + name_at + length])
    return names


def _by_frames(head: bytes) -> Found | None:
    """Return the type of streams that have no signature, only regular sync bytes."""
    for first in (0, 4):  # plain transport stream; with the 4-byte time stamps of cameras
        if len(head) > 3 * 188 and all(
            head[first + step * (188 + first)] == 0x47 for step in range(3)
        ):
            return Found("video", "video/mp2t")
    if head.startswith(b"ID3"):
        return Found("audio", "audio/flac" if b"fLaC" in head else "audio/mpeg")
    if len(head) < 4 or head[0] != 0xFF:
        return Found("audio", "audio/ac3") if head.startswith(b"\x0bw") else None
    if head[1] & 0xF6 == 0xF0:
        return Found("audio", "audio/aac")
    # Layers II and III only: layer I's sync word is also the byte order mark of UTF-16 texts.
    layered = head[1] & 0x06 in {0x02, 0x04}
    known_layer = head[1] & 0xE0 == 0xE0 and layered and head[1] & 0x18 != 0x08
    if known_layer and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C:
        return Found("audio", "audio/mpeg")
    return None


def _text(head: bytes, ending: str, *, whole: bool) -> Found:
    found = text_type(head, ending, whole=whole)
    return Found(*found) if found else UNKNOWN
