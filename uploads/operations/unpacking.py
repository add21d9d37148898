"""What comes out of an archive: files within limits, under clean names; knows no format.

The readers (`unpack_zip`, `unpack_tar`, `unpack_7z`) hand it what they find. Nothing but plain
files is written, into scratch, under numbers: no name, link or device of an archive is followed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import TYPE_CHECKING, Final

from uploads.errors import InputError
from uploads.names import cleaned_name, cleaned_path
from uploads.operations.base import Context, Output
from uploads.packed import packing_of
from uploads.sizes import size_in_words
from uploads.sniff import sniff

if TYPE_CHECKING:
    from uploads.operations.archive import Unpack

PIECE_BYTES: Final = 256 * 1024
FREE_BYTES: Final = 64 * 1024**2  # unpacked without a look at the ratio
REPORT_SECONDS: Final = 0.2
NAMED: Final = 3
# What macOS and Windows put into archives beside people's files.
LITTER: Final = "__MACOSX/*, */__MACOSX/*, .DS_Store, ._*, Thumbs.db, desktop.ini"
KINDS: Final = {
    "all": "",
    "pictures": "*.jpg, *.jpeg, *.png, *.gif, *.webp, *.avif, *.heic, *.heif, *.tif, *.tiff, *.bmp",
    "media": "*.mp4, *.mov, *.mkv, *.webm, *.avi, *.ts, *.m4v, "
    "*.mp3, *.m4a, *.aac, *.flac, *.wav, *.ogg, *.opus",
    "tables": "*.csv, *.tsv, *.json, *.ndjson, *.parquet, *.xlsx, *.xls, *.ods, *.sqlite",
}
SAFE_SUFFIX: Final = re.compile(r"\.[a-z0-9]{1,8}")


class DamagedError(Exception):
    """The rest of the archive can't be read; the text says why, as a sentence."""


class Patterns:
    """Names to take and to leave: one without `/` is compared with the file's name alone.

    One with `/` at its end is a folder, with all that lies in it.
    """

    def __init__(self, text: str) -> None:
        words = [word.strip() for word in re.split(r"[,;\n]", text)]
        words = [f"{word}*" if word.endswith("/") else word for word in words]
        self._patterns = [
            ("/" in word, re.compile(translate(word.casefold().lstrip("/"))))
            for word in words
            if word
        ]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def fit(self, path: str) -> bool:
        """Tell whether one of them fits a path of cleaned parts."""
        whole = path.casefold()
        name = whole.rpartition("/")[2]
        return any(found.match(whole if deep else name) for deep, found in self._patterns)


class Unpacking:
    """One archive being unpacked: which names are wanted, where they go, how much it was."""

    def __init__(self, source: Path, step: "Context[Unpack]") -> None:
        self.step = step
        self.size = source.stat().st_size
        self.made = 0
        self.members = 0
        self._written = 0
        self._left_out: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()
        self._take = Patterns(step.options.take), Patterns(KINDS[step.options.kinds])
        litter = "" if step.options.litter else LITTER
        self._leave = Patterns(f"{step.options.leave}, {litter}")
        self._told_at = 0.0

    # --- what the readers ask and tell -------------------------------------------

    def count(self, members: int = 1) -> None:
        """Count members found; raises `InputError` (`archive_too_large`) beyond the limit."""
        self.members += members
        most = self.step.limits.archive_max_files
        if self.members > most:
            raise self._too_large(f"it holds more than {most:,} files.")

    def expect(self, size: int) -> None:
        """Refuse at once what says itself that it is too large."""
        if size > self.step.limits.archive_max_bytes:
            raise self._too_large(f"it unpacks to {size_in_words(size)}.")

    def check(self, unpacked: int) -> None:
        """Compare the bytes unpacked so far with the limits."""
        limits = self.step.limits
        if unpacked > limits.archive_max_bytes:
            raise self._too_large(
                f"it unpacks to more than {size_in_words(limits.archive_max_bytes)}."
            )
        if unpacked > max(FREE_BYTES, self.size * limits.archive_max_ratio):
            raise InputError(
                "archive_refused",
                name=self.step.name,
                reason=f"it unpacks to more than {limits.archive_max_ratio:,} times its size.",
            )

    def wants(self, name: str) -> bool:
        """Tell whether the file of this name shall come out."""
        path = cleaned_path(name) or cleaned_name(name)
        taken = all(not patterns or patterns.fit(path) for patterns in self._take)
        return taken and not self._leave.fit(path)

    def leave_out(self, why: str, name: str) -> None:
        """Note a member that does not come out; `why` stands before its name in the warning."""
        self._counts[why] += 1
        if self._counts[why] <= NAMED:
            self._left_out.setdefault(why, []).append(cleaned_path(name) or cleaned_name(name))

    def report(self, fraction: float) -> None:
        """Tell how far it is, a few times a second."""
        if monotonic() - self._told_at >= REPORT_SECONDS:
            self._told_at = monotonic()
            self.step.report(fraction, "unpacking")

    def write(self, name: str, pieces: Iterable[bytes]) -> Output:
        """Write one member's bytes and return it as a result; what ends early leaves nothing."""
        file = self.open(name)
        try:
            for piece in pieces:
                file.write(piece)
        except BaseException:
            file.drop()
            raise
        return file.keep()

    def open(self, name: str) -> "Member":
        """Begin a file whose bytes are handed over."""
        self.made += 1
        suffix = PurePosixPath(cleaned_name(name)).suffix.lower()
        plain = suffix if SAFE_SUFFIX.fullmatch(suffix) else ""
        return Member(self, name, self.step.path(f"source-{self.made}{plain}"))

    def spend(self, size: int) -> None:
        """Count bytes written."""
        self._written += size
        self.check(self._written)

    def _too_large(self, reason: str) -> InputError:
        return InputError("archive_too_large", name=self.step.name, reason=reason)

    # --- the end ---------------------------------------------------------------------

    def conclude(self, damage: str) -> None:
        """Say what did not come out; raises `InputError` when nothing did."""
        name = self.step.name
        if not self.made:
            if "locked with a password" in self._counts:
                raise InputError("archive_encrypted", name=name)
            if damage or "damaged" in self._counts:
                raise InputError(
                    "archive_damaged", name=name, reason=damage or "no file in it is whole."
                )
            reason = "no file in it fits." if self.members else "there is no file in it."
            raise InputError("archive_empty", name=name, reason=self.size_in_words() or reason)
        if damage:
            self.step.warn(f"The archive is damaged: {damage} What was read before is here.")
        if said := self.size_in_words():
            self.step.warn(f"Left out: {said}")

    def size_in_words(self) -> str:
        told = []
        for why, names in self._left_out.items():
            count = self._counts[why]
            more = f" and {count - len(names):,} more" if count > len(names) else ""
            told.append(f"{why}: {', '.join(names)}{more}")
        return "; ".join(told) + "." if told else ""


class Member:
    """One file on its way out of an archive, in scratch under a number."""

    def __init__(self, unpacking: Unpacking, name: str, path: Path) -> None:
        self._unpacking = unpacking
        self._name = name
        self._path = path
        self._file = path.open("wb")

    def write(self, piece: bytes) -> int:
        """Write a piece; raises `InputError` beyond the limits."""
        self._unpacking.spend(len(piece))
        return self._file.write(piece)

    def keep(self) -> Output:
        """End the file; its kind is found from its bytes, as an upload's."""
        self._file.close()
        name = cleaned_name(self._name)
        folder = PurePosixPath("source")
        if self._unpacking.step.options.folders == "keep":
            folder /= PurePosixPath(cleaned_path(self._name)).parent
        meta = {
            "name": name,
            "folder": str(folder),
            "media_type": sniff(self._path, name).media_type,
        }
        return Output(self._path, meta=meta)

    def drop(self) -> None:
        """Remove what was written of it."""
        self._file.close()
        self._path.unlink()
        self._unpacking.made -= 1


def unpack(source: Path, step: "Context[Unpack]") -> Iterator[Output]:
    """Yield the files of an archive; a damaged one gives what can be read, with a warning."""
    if source.stat().st_size == 0:
        raise InputError("empty_file", name=step.name)
    unpacking = Unpacking(source, step)
    reader = _reader(archive_type(sniff(source, step.name).media_type))
    if reader is None:
        raise InputError("not_an_archive", name=step.name)
    damage = ""
    try:
        yield from reader(source, unpacking)
    except DamagedError as error:
        damage = str(error)
    unpacking.conclude(damage)


def archive_type(media_type: str) -> str:
    """Return what a file is as an archive: a packed table is one of a single file."""
    packing = packing_of(media_type)
    return packing.media_type if packing else media_type


def _reader(media_type: str) -> Callable[[Path, Unpacking], Iterator[Output]] | None:
    if media_type == "application/zip":
        from uploads.operations import unpack_zip

        return unpack_zip.unpack
    if media_type == "application/x-7z-compressed":
        from uploads.operations import unpack_7z  # its libraries take a while to load

        return unpack_7z.unpack
    from uploads.operations import unpack_tar

    return unpack_tar.unpack if media_type in unpack_tar.FLOWS else None
