"""Makes one archive of many files, reads it back and compares it; knows no options' words for people.

Every member gets the same time, since a file's own does not come with an upload: the same files
in the same order give the same bytes.
"""

import gzip
import hashlib
import sys
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from uploads.errors import StepError
from uploads.operations.base import Context, Output
from uploads.operations.summing import PIECE_BYTES, Meter, Placed, placed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from uploads.operations.archive import Pack

DAY: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can say
SECONDS: Final = 315_532_800
REGULAR: Final = 0o100644 << 16
DEFLATE: Final = {"none": 0, "fast": 1, "normal": 6, "small": 9}
ZSTD: Final = {"none": 1, "fast": 1, "normal": 3, "small": 19}
UNREADABLE: Final = (
    *(OSError, EOFError, ValueError, BadZipFile),
    *(zlib.error, zstd.ZstdError, tarfile.TarError),
)
Sums = dict[str, str]


def pack(paths: Sequence[Path], step: "Context[Pack]") -> Output:
    """Return the archive; raises `StepError` (`verification_failed`) unless it reads back the same."""
    files = placed(paths, step)
    form, effort = step.options.format, step.options.effort
    size = sum(file.size for file in files)
    target = step.path(f"source.{form}")
    meter = Meter(step, 2 * size, "packing")
    read = _Read(meter)
    if form == "zip":
        _zip(target, files, effort, read)
    else:
        _tar(target, files, form, effort, read)
    _compare(target, form, read.sums, step, meter)
    meta = {"files": len(files), "source_bytes": size, "verified": "sha256"}
    return Output(target, meta=meta)


class _Read:
    """Reads files on their way into an archive and keeps their checksums by name."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.sums: Sums = {}

    def opened(self, file: Placed) -> "Hashed":
        return Hashed(file, self._meter, self.sums)


class Hashed:
    """A file that is read once from front to end, with its checksum noted at the end."""

    def __init__(self, file: Placed, meter: Meter, sums: Sums) -> None:
        self._placed = file
        self._meter = meter
        self._sums = sums
        self._digest = hashlib.sha256()
        self._file = file.path.open("rb")
        self._sums[file.name] = self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._digest.update(piece)
        self._meter(len(piece))
        if piece:
            self._sums[self._placed.name] = self._digest.hexdigest()
        return piece

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Hashed":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _zip(target: Path, files: Sequence[Placed], effort: str, read: _Read) -> None:
    method = ZIP_STORED if effort == "none" else ZIP_DEFLATED
    with ZipFile(target, "w", method, compresslevel=DEFLATE[effort] or None) as archive:
        for file in files:
            member = ZipInfo(file.name, DAY)
            member.compress_type = method
            member.external_attr = REGULAR
            member.create_system = 3
            member.file_size = file.size  # so that a large one gets the wide header
            with read.opened(file) as source, archive.open(member, "w") as into:
                while piece := source.read(PIECE_BYTES):
                    into.write(piece)


def _tar(target: Path, files: Sequence[Placed], form: str, effort: str, read: _Read) -> None:
    with (
        _packed(target, form, effort) as out,
        tarfile.open(
            fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE_BYTES
        ) as archive,
    ):
        for file in files:
            member = tarfile.TarInfo(file.name)
            member.size, member.mtime, member.mode = file.size, SECONDS, 0o644
            with read.opened(file) as source:
                archive.addfile(member, source)


@contextmanager
def _packed(target: Path, form: str, effort: str) -> Iterator[Any]:
    with target.open("wb") as file:
        if form == "tar.gz":
            level = DEFLATE[effort]
            with gzip.GzipFile("", "wb", level, file, mtime=0) as packed:
                yield packed
        elif form == "tar.zst":
            options: dict[int, int] = {
                zstd.CompressionParameter.compression_level: ZSTD[effort],
                zstd.CompressionParameter.checksum_flag: 1,
            }
            with zstd.ZstdFile(file, "wb", options=options) as packed:
                yield packed
        else:
            yield file


def _compare(target: Path, form: str, sums: Sums, step: "Context[Pack]", meter: Meter) -> None:
    """Read every member back and compare it with what was read of its source."""
    try:
        found = dict(_read_back(target, form, meter))
    except UNREADABLE as error:
        raise StepError(
            "verification_failed", name=step.name, reason="the archive can't be read back."
        ) from error
    if found != sums:
        different = sorted(name for name in sums if found.get(name) != sums[name])
        reason = f"“{different[0]}” came back changed." if different else "it holds more files."
        raise StepError("verification_failed", name=step.name, reason=reason)


def _read_back(target: Path, form: str, meter: Meter) -> Iterable[tuple[str, str]]:
    if form == "zip":
        with ZipFile(target) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    yield member.filename, _sum(file, meter)
    else:
        with _unpacked(target, form) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            for entry in tar:
                found = tar.extractfile(entry)
                assert found is not None
                yield entry.name, _sum(found, meter)
                tar.members = []  # type: ignore[attr-defined]


@contextmanager
def _unpacked(target: Path, form: str) -> Iterator[Any]:
    if form == "tar.gz":
        with gzip.open(target) as packed:
            yield packed
    elif form == "tar.zst":
        with zstd.open(target) as packed:
            yield packed
    else:
        with target.open("rb") as file:
            yield file


def _sum(file: IO[bytes], meter: Meter) -> str:
    digest = hashlib.sha256()
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
        meter(len(piece))
    return digest.hexdigest()
