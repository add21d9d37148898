"""`archive.pack`: every format holds every file in its folder, the same bytes each time."""

import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from tests.operations.conftest import Listener
from uploads.errors import Cancelled, InputError, StepError
from uploads.operations import Context, Output, Source
from uploads.operations.archive import Pack
from uploads.operations.registry import find

FORMATS = ("zip", "tar", "tar.gz", "tar.zst")
FILES = {"notes.txt": b"A line.\n" * 500, "trip/a.bin": bytes(range(256)) * 40, "trip/empty": b""}
Packing = Callable[..., Path]


@pytest.fixture
def packing(tmp_path: Path, listener: Listener) -> Packing:
    """Pack files given by their paths: `packing({"a/b.txt": b"…"}, format="zip")`."""

    def pack(files: dict[str, bytes], again: str = "", **options: str) -> Path:
        room = tmp_path / f"out{again}"
        room.mkdir()
        sources, paths = [], []
        for number, (name, content) in enumerate(files.items()):
            path = tmp_path / f"in-{again}{number}"
            path.write_bytes(content)
            paths.append(path)
            folder = name if "/" in name else ""
            sources.append(Source(name.rpartition("/")[2], "application/octet-stream", folder))
        step = Context(Pack(**options), room, reporter=listener, sources=sources)  # type: ignore[arg-type]
        (made,) = find("archive.pack").function(paths, step)
        assert isinstance(made, Output)
        assert made.meta["files"] == len(files)
        return made.path

    return pack


def inside(archive: Path, folder: Path) -> dict[str, bytes]:
    """Return what other programs find in an archive."""
    folder.mkdir()
    if archive.name.endswith(".tar.zst"):
        from uploads.operations.packing import zstd

        plain = folder.parent / "plain.tar"
        with zstd.open(archive) as packed:
            plain.write_bytes(packed.read())
        archive = plain
    if archive.suffix == ".zip":
        with ZipFile(archive) as made:
            made.extractall(folder)
    else:
        subprocess.run(["tar", "-xf", archive, "-C", folder], check=True, timeout=30)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("effort", ["none", "fast", "normal", "small"])
def test_every_format_holds_the_files_in_their_folders(
    form: str, effort: str, packing: Packing, listener: Listener, tmp_path: Path
) -> None:
    made = packing(FILES, format=form, effort=effort)
    assert made.name == f"source.{form}"
    assert inside(made, tmp_path / "found") == FILES
    assert listener.fractions == sorted(listener.fractions)
    assert listener.fractions[-1] == 1


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_files_give_the_same_bytes(form: str, packing: Packing) -> None:
    first = packing(FILES, again="1", format=form)
    assert packing(FILES, again="2", format=form).read_bytes() == first.read_bytes()


def test_one_name_twice_is_numbered(packing: Packing, tmp_path: Path) -> None:
    step_files = {"a.txt": b"1", "A.txt": b"2", "x/a.txt": b"3", "y": b"4", "Y": b"5"}
    made = inside(packing(step_files), tmp_path / "found")
    assert sorted(made) == ["A (2).txt", "Y (2)", "a.txt", "x/a.txt", "y"]


def test_without_compression_a_zip_is_stored(packing: Packing) -> None:
    with ZipFile(packing(FILES, effort="none")) as made:
        assert {member.compress_type for member in made.infolist()} == {ZIP_STORED}


def test_more_effort_makes_it_smaller(packing: Packing) -> None:
    files = {"t.csv": "".join(f"{n},{n * n}\n" for n in range(20_000)).encode()}
    sizes = [
        packing(files, again=effort, format="tar.zst", effort=effort).stat().st_size
        for effort in ("fast", "small")
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_odd_names_survive(packing: Packing, tmp_path: Path) -> None:
    files = {"Grüße/写真 📷.txt": b"1", f"{'long' * 40}.txt": b"2", "a/" * 60 + "deep.txt": b"3"}
    for form in FORMATS:
        assert inside(packing(files, again=form, format=form), tmp_path / form) == files


def test_only_empty_files_are_refused(packing: Packing) -> None:
    with pytest.raises(InputError) as caught:
        packing({"a": b"", "b": b""})
    assert caught.value.code == "empty_file"


def test_a_cancel_is_heard(packing: Packing, listener: Listener) -> None:
    listener.raises = Cancelled
    with pytest.raises(Cancelled):
        packing(FILES)


@pytest.mark.parametrize("form", FORMATS)
def test_an_archive_that_reads_back_otherwise_is_not_shown(
    form: str, packing: Packing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that loses bytes after they were written: the check is what notices."""
    from uploads.operations import packing as module

    real = module._compare

    def torn(target: Path, *rest: object) -> None:
        content = bytearray(target.read_bytes())
        content[len(content) // 3] ^= 0x55
        target.write_bytes(content)
        real(target, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_compare", torn)
    with pytest.raises(StepError) as caught:
        packing(FILES, format=form, effort="none")
    assert caught.value.code == "verification_failed"


def test_tar_reads_what_was_packed(packing: Packing) -> None:
    with tarfile.open(packing(FILES, format="tar.gz")) as made:
        times = {member.mtime for member in made}
        modes = {member.mode for member in made}
    assert (times, modes) == ({315_532_800}, {0o644})


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_unzip_finds_no_fault(packing: Packing) -> None:
    subprocess.run(["unzip", "-tq", packing(FILES)], check=True, timeout=30, capture_output=True)
