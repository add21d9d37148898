"""`archive.unpack`: what comes out, under which names, and what is said about the rest."""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from zipfile import ZIP_BZIP2, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

import py7zr
import pytest

from tests.operations import archives
from tests.operations.archives import FILES, special, tarred, with_members, zipped, zst
from tests.operations.conftest import Listener
from uploads.errors import Cancelled, InputError
from uploads.operations import Limits, Output

Perform = Callable[..., list[Output]]
MIB = 1024**2


def out(outputs: list[Output]) -> dict[str, bytes]:
    """Return the results' bytes by folder and name."""
    return {
        f"{made.meta['folder']}/{made.meta['name']}".lstrip("/"): made.path.read_bytes()
        for made in outputs
    }


def noise(count: int) -> dict[str, bytes]:
    return {f"{n}.bin": Random(n).randbytes(40_000) for n in range(count)}


@pytest.mark.parametrize("name", archives.EVERY)
def test_every_kind_gives_its_files_in_their_folders(
    name: str, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    made = perform("archive.unpack", archives.EVERY[name](tmp_path / name))
    assert out(made) == {f"source/{path}": content for path, content in FILES.items()}
    assert listener.warnings == []
    kinds = {output.meta["name"]: output.meta["media_type"] for output in made}
    assert (kinds["a.jpg"], kinds["b.csv"]) == ("image/jpeg", "text/csv")


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_BZIP2, ZIP_LZMA])
def test_other_methods_of_zip(method: int, perform: Perform, tmp_path: Path) -> None:
    made = perform("archive.unpack", zipped(tmp_path / "a.zip", method=method))
    assert len(out(made)) == len(FILES)


@pytest.mark.parametrize(
    ("ending", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", None)],
)
def test_a_single_file_loses_its_ending(
    ending: str, pack: Callable[[bytes], bytes] | None, perform: Perform, tmp_path: Path
) -> None:
    content = b"city,people\n" + b"Lund,94000\n" * 9000
    source = tmp_path / f"cities.csv{ending}"
    if pack is None:
        zst(source, content)
    else:
        source.write_bytes(pack(content))
    (made,) = perform("archive.unpack", source)
    assert made.path.read_bytes() == content
    assert (made.meta["name"], made.meta["media_type"]) == ("cities.csv", "text/csv")


def test_only_what_fits_the_names_comes_out(perform: Perform, tmp_path: Path) -> None:
    source = zipped(tmp_path / "a.zip")
    assert list(out(perform("archive.unpack", source, take="*.JPG, photos/*.csv"))) == [
        "source/photos/a.jpg",
        "source/photos/2024/b.csv",
    ]
    assert list(out(perform("archive.unpack", source, kinds="pictures"))) == ["source/photos/a.jpg"]
    both = perform("archive.unpack", source, kinds="tables", take="photos/*")
    assert list(out(both)) == ["source/photos/2024/b.csv"]
    left = perform("archive.unpack", source, leave="photos/*; *.dat")
    assert list(out(left)) == ["source/readme.txt"]
    flat = perform("archive.unpack", source, take="*.jpg", folders="flat")
    assert list(out(flat)) == ["source/a.jpg"]


def test_litter_stays_unless_it_is_wanted(perform: Perform, tmp_path: Path) -> None:
    source = zipped(
        tmp_path / "a.zip", {"a.txt": b"a", "__MACOSX/._a.txt": b"x", "b/.DS_Store": b"y"}
    )
    assert list(out(perform("archive.unpack", source))) == ["source/a.txt"]
    assert len(perform("archive.unpack", source, litter=True)) == 3


def test_nothing_that_fits_is_an_error(perform: Perform, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file in it fits") as caught:
        perform("archive.unpack", zipped(tmp_path / "a.zip"), take="*.png")
    assert caught.value.code == "archive_empty"


def test_an_archive_without_files_is_an_error(perform: Perform, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file in it"):
        perform("archive.unpack", zipped(tmp_path / "a.zip", {}))


def test_names_are_cleaned_and_lead_nowhere(perform: Perform, tmp_path: Path) -> None:
    names = ["../../etc/passwd", "/root/key", "a\\b\\c.txt", "con\x01trol/\u202etxt.exe", "x/../y"]
    for source in (
        zipped(tmp_path / "a.zip", dict.fromkeys(names, b"!")),
        tarred(tmp_path / "a.tar", dict.fromkeys(names, b"!")),
    ):
        before = set(tmp_path.parent.iterdir())
        made = out(perform("archive.unpack", source))
        assert list(made) == [
            "source/etc/passwd",
            "source/root/key",
            "source/a/b/c.txt",
            "source/control/txt.exe",
            "source/x/y",
        ]
        assert set(tmp_path.parent.iterdir()) == before


def test_names_that_lead_out_of_a_7z_are_left_out(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    source = tmp_path / "a.7z"
    with py7zr.SevenZipFile(source, "w") as made:
        made._writestr("out", "../../evil.txt")
        made.writestr("in", "fine.txt")
    assert list(out(perform("archive.unpack", source))) == ["source/fine.txt"]
    assert listener.warnings == ["Left out: names that lead out of the archive: evil.txt."]


def test_links_and_devices_are_named_and_not_followed(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    source = with_members(
        tmp_path / "a.tar",
        special("passwd", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard", tarfile.LNKTYPE, "plain.txt"),
        special("null", tarfile.CHRTYPE),
        special("pipe", tarfile.FIFOTYPE),
        special("folder", tarfile.DIRTYPE),
    )
    assert out(perform("archive.unpack", source)) == {"source/plain.txt": b"plain"}
    assert listener.warnings == ["Left out: links: passwd, hard; devices: null, pipe."]


def test_links_of_a_zip_are_named_and_not_followed(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    source = tmp_path / "a.zip"
    with ZipFile(source, "w") as made:
        link = ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        made.writestr(link, "/etc/passwd")
        made.writestr("fine.txt", "fine")
    assert list(out(perform("archive.unpack", source))) == ["source/fine.txt"]
    assert listener.warnings == ["Left out: links: link."]


def test_names_in_other_encodings_stay_readable(perform: Perform, tmp_path: Path) -> None:
    entries, body = [], b""
    for name in ("Grüße.txt".encode(), "Caf\u00e9.txt".encode("cp437"), b"\x83\x65\x83\x58.txt"):
        packed, crc = archives.deflated(b"x"), zlib.crc32(b"x")
        entries.append(archives.central(name, len(body), crc, len(packed), 1))
        body += archives.local(name, packed, crc, 1)
    source = tmp_path / "a.zip"
    source.write_bytes(archives.ended(body, entries))
    names = [name.removeprefix("source/") for name in out(perform("archive.unpack", source))]
    assert names[:2] == ["Grüße.txt", "Café.txt"]
    assert names[2].endswith(".txt")


def test_a_name_that_lies_about_being_utf8_costs_nothing(perform: Perform, tmp_path: Path) -> None:
    source = zipped(tmp_path / "a.zip", {"gr\u00fc\u00df.txt": b"hello" * 20, "b.txt": b"b"})
    source.write_bytes(source.read_bytes().replace("ü".encode(), b"\xff\xfe"))
    made = out(perform("archive.unpack", source))
    assert sorted(made.values()) == [b"b", b"hello" * 20]


def test_an_encrypted_zip_says_so(perform: Perform, listener: Listener, tmp_path: Path) -> None:
    source = zipped(tmp_path / "a.zip", {"secret.txt": b"secret"})
    content = bytearray(source.read_bytes())
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(magic) + at] |= 1
    source.write_bytes(content)
    with pytest.raises(InputError) as caught:
        perform("archive.unpack", source)
    assert caught.value.code == "archive_encrypted"


def test_an_encrypted_7z_says_so(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "a.7z"
    with py7zr.SevenZipFile(source, "w", password="secret") as made:
        made.writestr("x" * 100, "a.txt")
    with pytest.raises(InputError) as caught:
        perform("archive.unpack", source)
    assert caught.value.code == "archive_encrypted"


def test_a_zip_cut_off_gives_what_is_whole(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    files = noise(20)
    source = zipped(tmp_path / "a.zip", files)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    made = out(perform("archive.unpack", source))
    assert 5 < len(made) < 15
    assert all(files[name.removeprefix("source/")] == content for name, content in made.items())
    assert "The archive is damaged" in listener.warnings[0]


def test_a_broken_member_of_a_zip_costs_only_itself(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    source = zipped(tmp_path / "a.zip", method=ZIP_STORED)
    source.write_bytes(source.read_bytes().replace(b"Read me.", b"Read ME.", 1))
    made = out(perform("archive.unpack", source))
    assert len(made) == len(FILES) - 1
    assert listener.warnings == ["Left out: damaged: readme.txt."]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.xz", "a.tar.zst"])
def test_a_tar_cut_off_gives_what_came_before(
    name: str, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    plain = tmp_path / "a.tar"
    files = noise(30)
    tarred(plain, files)
    source = tmp_path / name
    if name.endswith("zst"):
        zst(source, plain.read_bytes())
    elif name != "a.tar":
        tarred(source, files)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])
    made = out(perform("archive.unpack", source))
    assert 0 < len(made) < 30
    assert all(files[path.removeprefix("source/")] == content for path, content in made.items())
    assert "The archive is damaged" in listener.warnings[0]


def test_a_broken_header_in_a_tar_does_not_end_it_in_silence(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    source = tarred(tmp_path / "a.tar")
    content = bytearray(source.read_bytes())
    place = content.index(b"photos/2024/b.csv")
    content[place + 148 : place + 156] = b"99999999"
    source.write_bytes(content)
    assert len(perform("archive.unpack", source)) == 2
    assert "The archive is damaged" in listener.warnings[0]


def test_bytes_that_are_no_archive_are_refused(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "a.zip"
    source.write_bytes(b"PK\3\4" + b"\xff" * 400)
    with pytest.raises(InputError) as caught:
        perform("archive.unpack", source)
    assert caught.value.code == "archive_damaged"


def test_progress_follows_the_bytes_that_were_read(
    perform: Perform, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uploads.operations.unpacking.REPORT_SECONDS", 0.0)
    files = noise(60)
    for source in (
        zipped(tmp_path / "a.zip", files, ZIP_STORED),
        tarred(tmp_path / "a.tar", files),
    ):
        listener.fractions.clear()
        perform("archive.unpack", source)
        assert listener.fractions == sorted(listener.fractions)
        assert listener.fractions[0] < 0.3 < 0.7 < listener.fractions[-1] <= 1


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.7z"])
def test_a_cancel_is_heard(
    name: str,
    perform: Perform,
    listener: Listener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("uploads.operations.unpacking.REPORT_SECONDS", 0.0)
    listener.raises = Cancelled
    with pytest.raises(Cancelled):
        perform("archive.unpack", archives.EVERY[name](tmp_path / name))


def test_too_many_files_are_refused(perform: Perform, tmp_path: Path) -> None:
    files = {f"{n}": b"x" for n in range(30)}
    for source in (
        zipped(tmp_path / "a.zip", files),
        tarred(tmp_path / "a.tar", files),
        archives.seven(tmp_path / "a.7z", files),
    ):
        with pytest.raises(InputError, match="more than 20 files") as caught:
            perform("archive.unpack", source, limits=Limits(archive_max_files=20))
        assert caught.value.code == "archive_too_large"


def test_too_many_bytes_are_refused(perform: Perform, tmp_path: Path) -> None:
    files = {"zeros": bytes(3 * MIB)}
    for source in (
        zipped(tmp_path / "a.zip", files),
        tarred(tmp_path / "a.tar.gz", files),
        archives.seven(tmp_path / "a.7z", files),
    ):
        with pytest.raises(InputError) as caught:
            perform("archive.unpack", source, limits=Limits(archive_max_bytes=2 * MIB))
        assert caught.value.code == "archive_too_large"
