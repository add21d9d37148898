"""`archive.unpack`: names of old and odd archives; none loses its letters, none becomes another file."""

import gzip
import tarfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import py7zr
import pytest

from tests.operations import archives
from tests.operations.conftest import Listener
from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]


def places(outputs: list[Output]) -> list[str]:
    return [f"{made.meta['folder']}/{made.meta['name']}" for made in outputs]


@pytest.mark.parametrize(
    ("encoding", "name", "read"),
    [
        ("utf-8", "Пéss/é.txt", "Пéss/é.txt"),
        ("latin-1", "Grüße/é.txt", "Grüße/é.txt"),
        ("cp1251", "папка/имя", "ïàïêà/èìÿ"),
        ("cp850", "ìéÅ.txt", "ìéÅ.txt".encode("cp850").decode("cp437")),
    ],
)
def test_names_of_a_tar_in_any_encoding_keep_all_their_letters(
    encoding: str, name: str, read: str, perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "old.tar"
    with tarfile.open(source, "w", format=tarfile.GNU_FORMAT, encoding=encoding) as made:
        member = tarfile.TarInfo(name)
        member.size = 2
        made.addfile(member, BytesIO(b"hi"))
    assert places(perform("archive.unpack", source)) == [f"source/{read}"]


def test_a_folder_that_ends_in_a_backslash_is_no_file(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "windows.zip"
    with ZipFile(source, "w") as made:
        for name, content in {"photos\\": b"", "photos\\a.txt": b"hi"}.items():
            member = ZipInfo("x")
            member.filename, member.create_system = name, 0
            made.writestr(member, content)
    assert places(perform("archive.unpack", source)) == ["source/photos/a.txt"]


def test_a_folder_is_named_with_a_slash_at_its_end(perform: Perform, tmp_path: Path) -> None:
    files = {"build/a.js": b"a", "build/deep/b.js": b"b", "src/build/c.js": b"c", "d.js": b"d"}
    source = archives.zipped(tmp_path / "a.zip", files)
    left = perform("archive.unpack", source, leave="build/")
    assert places(left) == ["source/src/build/c.js", "source/d.js"]
    taken = perform("archive.unpack", source, take="build/deep/")
    assert places(taken) == ["source/build/deep/b.js"]


def test_a_stored_member_with_a_wide_header_is_whole_without_a_list(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    source = tmp_path / "torn.zip"
    with ZipFile(source, "w", ZIP_STORED) as made:
        with made.open("large.bin", "w", force_zip64=True) as file:
            file.write(b"2" * 1000)
        made.writestr("small.txt", "3")
    content = source.read_bytes()
    source.write_bytes(content[: content.index(b"PK\x01\x02")])
    assert places(perform("archive.unpack", source)) == ["source/large.bin", "source/small.txt"]
    assert [text[:23] for text in listener.warnings] == ["The archive is damaged:"]


def test_a_name_that_is_said_in_a_field_of_its_own_is_read(
    perform: Perform, tmp_path: Path
) -> None:
    source, stored = tmp_path / "japan.zip", "日本.txt".encode("cp932")
    field = b"\1" + zlib.crc32(stored).to_bytes(4, "little") + "日本.txt".encode()
    with ZipFile(source, "w") as made:
        member = ZipInfo("0" * len(stored))
        member.extra = (0x7075).to_bytes(2, "little") + len(field).to_bytes(2, "little") + field
        made.writestr(member, b"hi")
    source.write_bytes(source.read_bytes().replace(b"0" * len(stored), stored))
    assert places(perform("archive.unpack", source)) == ["source/日本.txt"]


def test_a_name_twice_in_a_7z_keeps_its_ending(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "twice.7z"
    with py7zr.SevenZipFile(source, "w") as made:
        for content in (b"1", b"2", b"3"):
            made.writestr(content, "a.txt")
    made_files = perform("archive.unpack", source)
    assert places(made_files) == ["source/a.txt"] * 3
    assert [output.path.read_bytes() for output in made_files] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_a_single_file_gives_what_comes_before_the_damage(
    damage: str, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    whole = Random(1).randbytes(600_000)
    packed = gzip.compress(whole)
    source = tmp_path / "log.bin.gz"
    source.write_bytes(packed[:-9000] if damage == "cut" else packed + b"more")
    (made,) = perform("archive.unpack", source)
    content = made.path.read_bytes()
    assert whole.startswith(content) and len(content) > 500_000
    assert made.meta["name"] == "log.bin"
    assert "The archive is damaged" in listener.warnings[0]
    source.write_bytes(packed[:9])
    with pytest.raises(InputError) as caught:
        perform("archive.unpack", source)
    assert caught.value.code == "archive_damaged"


@pytest.mark.parametrize("name", ["empty.tar.gz", "empty.TGZ"])
def test_a_packed_tar_without_files_says_so(name: str, perform: Perform, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / name, "w:gz"):
        pass
    with pytest.raises(InputError) as caught:
        perform("archive.unpack", tmp_path / name)
    assert caught.value.code == "archive_empty"
    zeros = tmp_path / "zeros.bin.gz"
    zeros.write_bytes(gzip.compress(bytes(2000)))
    assert places(perform("archive.unpack", zeros)) == ["/zeros.bin"]
