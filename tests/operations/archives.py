"""Archives made on the spot, sound and hostile, for the tests of the operations on them."""

import io
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import py7zr

FILES = {
    "readme.txt": b"Read me.\n" * 40,
    "photos/a.jpg": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8,
    "photos/2024/b.csv": b"a,b\n" + b"1,2\n" * 300,
    "empty.dat": b"",
}
OPENERS: Mapping[str, str] = {
    ".tar": "w",
    ".tar.gz": "w:gz",
    ".tar.bz2": "w:bz2",
    ".tar.xz": "w:xz",
}


def zipped(path: Path, files: Mapping[str, bytes] = FILES, method: int = ZIP_DEFLATED) -> Path:
    with ZipFile(path, "w", method) as made:
        for name, content in files.items():
            made.writestr(ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, method)
    return path


def tarred(path: Path, files: Mapping[str, bytes] = FILES) -> Path:
    kind = next(end for end in sorted(OPENERS, key=len, reverse=True) if path.name.endswith(end))
    with tarfile.open(path, OPENERS[kind]) as made:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return path


def zst(path: Path, content: bytes) -> Path:
    from uploads.packed import zstd

    path.write_bytes(zstd.compress(content))
    return path


def seven(path: Path, files: Mapping[str, bytes] = FILES) -> Path:
    with py7zr.SevenZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(content, name)
    return path


def with_members(path: Path, *members: tarfile.TarInfo) -> Path:
    """Make a tar of a plain file and these members."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as made:
        plain = tarfile.TarInfo("plain.txt")
        plain.size = 5
        made.addfile(plain, io.BytesIO(b"plain"))
        for member in members:
            made.addfile(member, io.BytesIO(bytes(member.size)) if member.size else None)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def local(name: bytes, packed: bytes, crc: int, size: int) -> bytes:
    return (
        struct.pack(
            "<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(packed), size, len(name), 0
        )
        + name
        + packed
    )


def central(name: bytes, offset: int, crc: int, packed: int, size: int) -> bytes:
    head = struct.pack(
        "<4sHHHHHHIIIHHHHHII",
        *(b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset),
    )
    return head + name


def ended(body: bytes, entries: list[bytes]) -> bytes:
    """Return a ZIP of local members and its directory."""
    directory = b"".join(entries)
    count = len(entries)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def overlapping(path: Path, count: int = 200) -> Path:
    """Many names in the directory, one and the same bytes for all of them."""
    kernel = b"0" * 1_000_000
    packed, crc = deflated(kernel), zlib.crc32(kernel)
    body = local(b"a", packed, crc, len(kernel))
    entries = [central(b"a", 0, crc, len(packed), len(kernel)) for _ in range(count)]
    path.write_bytes(ended(body, entries))
    return path


def quoted(path: Path, count: int = 60) -> Path:
    """Each member holds the next ones' headers, stored, and then their bytes (Fifield's bomb)."""
    kernel = b"0" * 100_000
    packed, content = deflated(kernel), kernel
    body, entries_at = b"", []
    for number in reversed(range(count)):
        name = b"%03d" % number
        if body:
            head = body[: body.index(b"PK\3\4") + 33]
            quote = b"\0" + struct.pack("<HH", len(head), len(head) ^ 0xFFFF) + head
            packed, content = quote + packed, head + content
        crc = zlib.crc32(content)
        body = local(name, packed, crc, len(content))
        entries_at.append((name, crc, len(packed), len(content), len(body)))
    total = len(body)
    entries = [central(n, total - whole, c, p, s) for n, c, p, s, whole in entries_at]
    path.write_bytes(ended(body, entries))
    return path


def nested(path: Path, depth: int = 4) -> Path:
    """A ZIP of ZIPs of ZIPs, as 42.zip."""
    content = b"0" * 1_000_000
    for _ in range(depth):
        buffer = io.BytesIO()
        with ZipFile(buffer, "w", ZIP_DEFLATED) as made:
            for number in range(16):
                made.writestr(f"lib {number}.zip", content)
        content = buffer.getvalue()
    path.write_bytes(content)
    return path


Makers = dict[str, Callable[[Path], Path]]
EVERY: Makers = {
    "a.zip": zipped,
    "a.tar": tarred,
    "a.tar.gz": tarred,
    "a.tar.bz2": tarred,
    "a.tar.xz": tarred,
    "a.tar.zst": lambda path: zst(path, tarred(path.with_name("plain.tar")).read_bytes()),
    "a.7z": seven,
}
