"""`archive.unpack`: names of old and odd archives; none loses its letters, none becomes another file."""

import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pytest

from tests.operations import archives
from tests.operations.conftest import Listener
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
