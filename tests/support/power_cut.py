"""A power cut, replayed: what a server's data folder is when only synced bytes and names survive.

`forgetful.c` journals every change below the folder; here the journal is read up to a
cut and the folder rebuilt. Bytes count once their file was synced, names (new, moved,
removed) once their folder was. At the worst nothing else survives; with a `random`
some of the rest does: any of the writes, and names up to some moment, as journaling
file systems keep those in order.
"""

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

SOURCE = Path(__file__).parent / "forgetful.c"
UNTESTED = "A POWER CUT IS NOT TESTED: it takes gcc and Linux. Install gcc: apt-get install gcc"


def build(folder: Path) -> Path:
    """Compile the journal's library; skips the test, loudly, where that is not possible."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not Path("/proc/self/fd").exists():
        pytest.skip(UNTESTED)
    library = folder / "forgetful.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run([*command, "-lpthread"], check=True, timeout=60)
    return library


@dataclass(frozen=True)
class Record:
    """One line of the journal; the kinds are those of `forgetful.c`, and A, what a client was told."""

    kind: str
    inode: int
    offset: int
    path: str
    target: str
    data: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.path)


class Journal:
    """The journal of one run; clients note in it what they were told."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def tell(self, **fact: Any) -> None:
        """Note, in the order of the rest, that somebody was told this."""
        with self.path.open("ab", buffering=0) as file:
            file.write(b"A 0 0 0|" + json.dumps(fact).encode() + b"|\n")

    def records(self) -> Iterator[Record]:
        with self.path.open("rb") as file:
            while line := file.readline():
                head, path, target = line.decode().rstrip("\n").split("|")
                kind, inode, offset, size = head.split(" ")
                data = file.read(int(size)) if kind in "WF" else b""
                yield Record(kind, int(inode), int(offset), path, target, data)


@dataclass
class File:
    """One file's bytes: those that survive, and what was done since its last sync."""

    kept: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.pending:
            apply(self.kept, *change)
        self.pending.clear()

    def bytes_after(self, chance: random.Random | None) -> bytearray:
        """Return what is there after the cut: what was kept, and any of the rest."""
        if chance is None or not self.pending:
            return self.kept
        left = bytearray(self.kept)
        for change in self.pending:
            if chance.random() < 0.5:
                apply(left, *change)
        return left


def apply(content: bytearray, offset: int, data: bytes | None) -> None:
    """Write at the offset, or cut (or stretch) the content to it."""
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


@dataclass(frozen=True)
class Naming:
    """One change of a folder: a name comes (`entry` is its file or "folder") or goes (None)."""

    path: str
    entry: File | str | None

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent)


class Disk:
    """The disk at one moment of the journal."""

    def __init__(self) -> None:
        self.files: dict[int, File] = {}
        self.names: dict[str, File | str] = {}
        self.pending: list[Naming] = []

    def take(self, record: Record) -> None:
        """Go on by one record."""
        match record.kind:
            case "C":
                self.files[record.inode] = File()
                self._name(record.path, self.files[record.inode])
            case "M":
                self.files.pop(record.inode, None)  # numbers are given again
                self._name(record.path, "folder")
            case "D":
                self.files.pop(record.inode, None)
            case "L":
                self._name(record.path, self._file(record))
            case "R":
                file = self._file(record)
                if record.target:
                    self._name(record.target, file)
                if record.path:
                    self._name(record.path, None)
            case "U":
                self._name(record.path, None)
            case "W":
                self._file(record).pending.append((record.offset, record.data))
            case "T":
                self._file(record).pending.append((record.offset, None))
            case "F":
                self.files[record.inode] = File(bytearray(record.data))
            case "S" if record.inode in self.files:
                self.files[record.inode].sync()
            case "S":
                self._sync_folder(record.path)

    def _file(self, record: Record) -> File:
        return self.files.setdefault(record.inode, File())

    def _name(self, path: str, entry: File | str | None) -> None:
        self.pending.append(Naming(path, entry))

    def _sync_folder(self, folder: str) -> None:
        rest = []
        for naming in self.pending:
            if naming.folder == folder:
                _rename(self.names, naming)
            else:
                rest.append(naming)
        self.pending = rest

    def rebuild(self, folder: Path, chance: random.Random | None = None) -> None:
        """Make the folder as it is found after the cut: at the worst, or with some luck."""
        names = dict(self.names)
        if chance is not None:
            for naming in self.pending[: chance.randint(0, len(self.pending))]:
                _rename(names, naming)
        folder.mkdir(parents=True)
        for path, entry in sorted(names.items(), key=lambda pair: pair[0].count("/")):
            target = folder / path
            if not target.parent.is_dir():
                continue  # the name of a folder above it was lost
            if isinstance(entry, File):
                target.write_bytes(entry.bytes_after(chance))
            else:
                target.mkdir(exist_ok=True)
        folder.chmod(0o700)


def _rename(names: dict[str, File | str], naming: Naming) -> None:
    if naming.entry is None:
        names.pop(naming.path, None)
    else:
        names[naming.path] = naming.entry
