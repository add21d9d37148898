"""Files packed alone by gzip, bzip2, xz or zstd: their types and endings, and what opens them."""

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# A bzip2 block is unpacked whole or not at all; the largest of them fits in here.
HEAD_BYTES: Final = 1024**2
# What `xz -9` asks for is 65 MiB; a header may claim 4 GiB.
XZ_MEMORY_BYTES: Final = 128 * 1024**2
UNREADABLE: Final = (EOFError, OSError, zlib.error, lzma.LZMAError, zstd.ZstdError)


class _Unpacker(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@dataclass(frozen=True)
class Packing:
    """One way to pack a file alone.

    `media_type` is the packed file's own; `suffix` stands behind the type of what is inside, where
    that is known (structured suffixes, as in RFC 8460, 6.4 and RFC 8878, 7.1).
    """

    media_type: str
    suffix: str
    endings: tuple[str, ...]
    opened: Callable[[IO[bytes]], Any]
    _unpacker: Callable[[], _Unpacker]

    def head(self, packed: bytes, most: int) -> bytes:
        """Return at most `most` first bytes of what is inside; nothing where they can't be read."""
        try:
            return self._unpacker().decompress(packed, most)
        except UNREADABLE:
            return b""


PACKINGS: Final = (
    Packing(
        "application/gzip",
        "+gzip",
        (".gz",),
        lambda file: gzip.GzipFile(fileobj=file),
        lambda: zlib.decompressobj(wbits=31),
    ),
    Packing("application/x-bzip2", "+bzip2", (".bz2",), bz2.BZ2File, bz2.BZ2Decompressor),
    Packing(
        "application/x-xz",
        "+xz",
        (".xz",),
        lzma.LZMAFile,
        lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES),
    ),
    Packing(
        "application/zstd", "+zstd", (".zst", ".zstd"), zstd.ZstdFile, zstd.ZstdDecompressor
    ),
)  # fmt: skip
SUFFIXES: Final = tuple(packing.suffix for packing in PACKINGS)
ENDINGS: Final = tuple(ending for packing in PACKINGS for ending in packing.endings)


def packing_of(media_type: str) -> Packing | None:
    """Return how a file of this type is packed, by its own type or that of what is inside."""
    for packing in PACKINGS:
        if media_type == packing.media_type or media_type.endswith(packing.suffix):
            return packing
    return None
