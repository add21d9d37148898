"""The operations `archive.unpack` and `archive.pack`: options and presets; they know no format.

`unpacking` and `packing` read and write, imported when there is work.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option
from uploads.sniff import PACKED_TABLES

MIB, GIB = 1024**2, 1024**3
ARCHIVES = (
    "application/zip",
    "application/x-tar",
    "application/gzip",
    "application/x-bzip2",
    "application/x-xz",
    "application/zstd",
    "application/x-7z-compressed",
    *PACKED_TABLES,
)
PATTERNS = 500


@dataclass(frozen=True)
class Unpack:
    """Which files come out of an archive, and where they lie."""

    take: str = option(
        "",
        "Names of the files to take, such as *.jpg, 2024/*.csv; with commas between them, "
        "empty takes all.",
        label="Take",
        max_length=PATTERNS,
        main=True,
    )
    kinds: Literal["all", "pictures", "media", "tables"] = option(
        "all",
        "Of what fits the names, only files with the usual endings of these.",
        label="Kinds of files",
        choices={
            "all": "All",
            "pictures": "Pictures",
            "media": "Films and sound",
            "tables": "Tables",
        },
    )
    leave: str = option(
        "",
        "Names of files that are left out, even if they are taken above.",
        label="Leave out",
        max_length=PATTERNS,
    )
    litter: bool = option(
        default=False,
        help="Take what macOS and Windows add as well: __MACOSX, .DS_Store, Thumbs.db.",
    )
    folders: Literal["keep", "flat"] = option(
        "keep",
        "Where the files lie in the ZIP of the results.",
        choices={"keep": "In their folders", "flat": "All in one folder"},
    )


UNPACK_PRESETS = (
    Preset("all", "Everything", "All files, without the litter of macOS and Windows.", {}),
    Preset("pictures", "Pictures only", "JPEG, PNG, WebP, HEIC and their kin.", {"kinds": "pictures"}),
    Preset("media", "Films and sound only", "MP4, MOV, MKV, MP3, FLAC and their kin.", {"kinds": "media"}),
    Preset("tables", "Tables only", "CSV, JSON, Parquet, Excel, SQLite.", {"kinds": "tables"}),
    Preset("whole", "Every single file", "The litter, too.", {"litter": True}),
)  # fmt: skip


@operation(
    "archive.unpack",
    label="Unpack archives",
    accepts=ARCHIVES,
    options=Unpack,
    version=2,
    presets=UNPACK_PRESETS,
    seconds=lambda size: 0.3 + size / 20e6,
    # 7z and zstd keep a window of what they have unpacked.
    needs_memory=lambda size: 96 * MIB + min(4 * size, 600 * MIB),
    needs_disk=lambda size: 4 * MIB + 4 * size,
    memory_bytes=2 * GIB,
)
def unpack(source: Path, step: Context[Unpack]) -> Iterator[Output]:
    """Unpack ZIP, tar, gzip, bzip2, xz, zstd and 7z; every file in it becomes a result."""
    from uploads.operations import unpacking

    yield from unpacking.unpack(source, step)


@dataclass(frozen=True)
class Pack:
    """What kind of archive is made."""

    format: Literal["zip", "tar", "tar.gz", "tar.zst"] = option(
        "zip",
        "Format of the archive.",
        choices={
            "zip": "ZIP",
            "tar": "tar, not compressed",
            "tar.gz": "tar.gz",
            "tar.zst": "tar.zst",
        },
    )
    effort: Literal["none", "fast", "normal", "small"] = option(
        "normal",
        "Pictures, films and sound are hardly ever made smaller by any of them.",
        label="Compression",
        choices={
            "none": "None, as fast as the disk",
            "fast": "Fast",
            "normal": "Normal",
            "small": "Small, slow",
        },
    )


PACK_PRESETS = (
    Preset("zip", "ZIP for everyone", "Opens everywhere.", {}),
    Preset("store", "ZIP, not compressed", "For pictures and films: fast, hardly larger.", {"effort": "none"}),
    Preset("tar.gz", "tar.gz", "For Linux and servers.", {"format": "tar.gz"}),
    Preset("tar.zst", "tar.zst", "Smaller than tar.gz, and much faster.", {"format": "tar.zst"}),
    Preset("small", "As small as possible", "tar.zst, slow; for texts and tables.", {"format": "tar.zst", "effort": "small"}),
)  # fmt: skip


@operation(
    "archive.pack",
    label="Pack into an archive",
    accepts=["*/*"],
    options=Pack,
    takes="all",
    presets=PACK_PRESETS,
    seconds=lambda size: 0.3 + size / 15e6,
    needs_memory=lambda size: 96 * MIB + min(6 * size, 700 * MIB),
    needs_disk=lambda size: 4 * MIB + size + size // 50,
    memory_bytes=2 * GIB,
)
def pack(sources: Sequence[Path], step: Context[Pack]) -> Iterator[Output]:
    """Pack all files into one archive, in their folders; read back and compared before it is shown."""
    from uploads.operations import packing

    yield packing.pack(sources, step)
