"""Archives made to fill disks and memory, to write elsewhere, or spoilt: each ends in words."""

import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.operations import archives
from tests.operations.archives import special, with_members
from tests.operations.conftest import ROOT, Told
from tests.operations.test_hostile_tables import mutated
from uploads.operations import Output
from uploads.operations.contract.serving import layers
from uploads.operations.registry import find

FEW = 6
MANY = 2000
LIMIT_SECONDS = 60
MIB = 1024**2
SMALL = {"archive_max_bytes": 8 * MIB, "archive_max_files": 500, "archive_max_ratio": 50}


def told(child: Callable[..., Told], source: Path, **limits: int) -> str:
    (code,) = child("archive.unpack", source, limits={**SMALL, **limits}).codes
    return code


def test_members_that_share_bytes_are_refused(child: Callable[..., Told], tmp_path: Path) -> None:
    assert told(child, archives.overlapping(tmp_path / "a.zip")) == "archive_refused"
    assert told(child, archives.quoted(tmp_path / "b.zip")) == "archive_refused"


def test_archives_in_archives_are_not_opened(child: Callable[..., Told], tmp_path: Path) -> None:
    heard = child("archive.unpack", archives.nested(tmp_path / "42.zip"), limits=SMALL)
    made = [Path(output["path"]) for output in heard.of("output")]
    assert len(made) == 16
    assert all(path.suffix == ".zip" and path.stat().st_size < 20_000 for path in made)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.7z"])
def test_a_bomb_is_refused_before_it_fills_the_disk(
    name: str, child: Callable[..., Told], tmp_path: Path
) -> None:
    zeros = {"zeros": bytes(80 * MIB)}
    if name == "a.zip":
        source = archives.zipped(tmp_path / name, zeros)
    elif name == "a.7z":
        source = archives.seven(tmp_path / name, zeros)
    else:
        source = archives.tarred(tmp_path / name, zeros)
    assert told(child, source) == "archive_too_large"
    assert told(child, source, archive_max_bytes=10**12) == "archive_refused"
    assert not list((tmp_path / "out").rglob("source*"))


def test_a_zip_that_lies_about_its_sizes_is_refused(
    child: Callable[..., Told], tmp_path: Path
) -> None:
    packed = archives.deflated(bytes(20 * MIB))
    body = archives.local(b"a", packed, 0, 10)
    source = tmp_path / "a.zip"
    source.write_bytes(archives.ended(body, [archives.central(b"a", 0, 0, len(packed), 10)]))
    assert told(child, source) == "archive_damaged"


def hole() -> tarfile.TarInfo:
    """Return a member of one block that says it is a file of ten terabytes."""
    made = tarfile.TarInfo("disk.img")
    made.size = 512
    made.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.name": "disk.img",
        "GNU.sparse.realsize": str(10**13),
        "GNU.sparse.size": str(10**13),
        "GNU.sparse.map": f"{10**13 - 512},512",
        "GNU.sparse.numblocks": "1",
    }
    return made


def test_a_sparse_file_counts_with_its_holes(child: Callable[..., Told], tmp_path: Path) -> None:
    assert told(child, with_members(tmp_path / "a.tar", hole())) in {
        "archive_too_large",
        "archive_refused",
    }


def endless() -> tarfile.TarInfo:
    """Return a member of an odd kind that says it has eight pebibytes and has none."""
    made = special("odd", b"Z")
    made.size = 8 * 1024**5
    return made


class TookTooLong(BaseException):
    """No error that a reader of archives would take for one of the archive's."""


@pytest.fixture
def few_seconds() -> Iterator[None]:
    def end(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("few_seconds")
@pytest.mark.parametrize("long", [hole, endless])
def test_what_nobody_wants_costs_no_time_however_long_it_says_it_is(
    perform: Callable[..., list[Output]], tmp_path: Path, long: Callable[[], tarfile.TarInfo]
) -> None:
    source = tmp_path / "a.tar"
    plain = tarfile.TarInfo("plain.txt")
    source.write_bytes(plain.tobuf() + long().tobuf(tarfile.PAX_FORMAT) + bytes(1024))
    (made,) = perform("archive.unpack", source, take="*.txt")
    assert made.meta["name"] == "plain.txt"


def test_a_huge_header_is_not_read_into_memory(child: Callable[..., Told], tmp_path: Path) -> None:
    header = special("x", tarfile.XHDTYPE)
    header.size = 64 * MIB
    heard = child("archive.unpack", with_members(tmp_path / "a.tar", header), limits=SMALL)
    assert [Path(o["path"]).name for o in heard.of("output")] == ["source-1.txt"]
    (warning,) = [log["text"] for log in heard.of("log") if log["level"] == "warning"]
    assert "a header in it is longer than 1 MiB" in warning


def test_too_long_a_list_of_files_is_refused(child: Callable[..., Told], tmp_path: Path) -> None:
    source = archives.zipped(tmp_path / "a.zip", {f"{n:05}": b"" for n in range(3000)})
    assert told(child, source) == "archive_too_large"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One sound archive of each kind."""
    folder = tmp_path_factory.mktemp("sound")
    return [make(folder / name) for name, make in archives.EVERY.items()]


def spoilt(sound: list[Path], folder: Path, count: int) -> Iterator[Path]:
    """Return mutated archives; the numbers in their names are the seeds."""
    for seed in range(count):
        source = sound[seed % len(sound)]
        path = folder / f"{seed}-{source.name}"
        path.write_bytes(mutated(source.read_bytes(), Random(seed)))
        yield path


def serve(paths: list[Path], room: Path) -> dict[str, str]:
    """Let one shut-in child work on the archives; return for each its code, "" for success."""
    rules = {
        "parent": os.getpid(),
        "profile": "decode",
        "layers": layers(),
        "inputs": str(paths[0].parent),
        "out": str(room),
        "read": [],
        "limits": {
            "memory_bytes": find("archive.unpack").memory_bytes,
            "cpu_seconds": 2 * LIMIT_SECONDS,
            "file_bytes": 10**9,
            "files": 256,
        },
    }
    items = [
        {"key": path.name, "name": path.name, "path": str(path), "media_type": ""} for path in paths
    ]
    request: dict[str, Any] = {
        "module": find("archive.unpack").module,
        "operation": "archive.unpack",
        "call": "run",
        "options": {},
        "limits": SMALL,
        "confine": rules,
        "out": str(room),
        "items": items,
    }
    run = subprocess.run(
        [sys.executable, "-m", "uploads.operations.child"],
        input=json.dumps(request).encode(),
        capture_output=True,
        cwd=ROOT,
        timeout=LIMIT_SECONDS + len(paths),
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    messages = [json.loads(line) for line in run.stdout.splitlines()]
    bugs = [message for message in messages if message.get("code") == "operation_bug"]
    assert bugs == []
    return {
        message["item"]: message.get("code", "")
        for message in messages
        if message["t"] in {"done", "error"}
    }


def judge(ended: dict[str, str], paths: list[Path]) -> None:
    assert sorted(ended) == sorted(path.name for path in paths)
    assert set(ended.values()) <= {
        *("", "archive_damaged", "archive_refused", "archive_too_large", "archive_encrypted"),
        *("archive_empty", "not_an_archive", "out_of_memory"),
    }
    assert "" in ended.values()
    assert "archive_damaged" in ended.values()


def test_spoilt_archives_end_in_words(sound: list[Path], tmp_path: Path) -> None:
    folder, room = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    room.mkdir()
    paths = list(spoilt(sound, folder, FEW * len(sound)))
    judge(serve(paths, room), paths)


@pytest.mark.soak
def test_thousands_of_spoilt_archives_end_in_words(sound: list[Path], tmp_path: Path) -> None:
    folder, room = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    room.mkdir()
    paths = list(spoilt(sound, folder, MANY))
    ended: dict[str, str] = {}
    for start in range(0, len(paths), 200):
        ended |= serve(paths[start : start + 200], room)
    judge(ended, paths)


def test_the_kind_is_found_from_the_bytes(
    perform: Callable[..., list[Output]], tmp_path: Path
) -> None:
    source = archives.tarred(tmp_path / "a.tar.gz")
    renamed = source.rename(tmp_path / "photos.zip")
    assert len(perform("archive.unpack", renamed)) == len(archives.FILES)
