"""`archive.manifest` and `archive.verify`: lists that sha256sum takes, and what differs from one."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest

from tests.operations.conftest import Listener
from uploads.errors import InputError
from uploads.operations import Context, Output, Source
from uploads.operations.checksums import Manifest, Verify
from uploads.operations.registry import find

TOOLS = {"sha256": "sha256sum", "sha1": "sha1sum", "md5": "md5sum", "blake2b": "b2sum"}
NAMES = ("notes.txt", "trip/a.bin", "trip/b (1).bin", "odd/  Grüße *.txt")
Run = Callable[..., list[Output]]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    for number, name in enumerate(NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * 3000)
    return folder


@pytest.fixture
def run(tmp_path: Path, listener: Listener) -> Run:
    """Run an operation over all files below a folder, each with its place in it."""

    def work(options: Manifest | Verify, folder: Path) -> list[Output]:
        room = tmp_path / "out"
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir()
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        places = [str(path.relative_to(folder)) for path in paths]
        sources = [
            Source(path.name, "text/plain", place if "/" in place else "")
            for path, place in zip(paths, places, strict=True)
        ]
        step: Context[Any] = Context(options, room, reporter=listener, sources=sources)
        name = "archive.manifest" if isinstance(options, Manifest) else "archive.verify"
        return list(find(name).function(paths, step))

    return work


def states(outputs: list[Output]) -> dict[str, str]:
    table = next(made.path for made in outputs if made.path.suffix == ".csv")
    report = next(made for made in outputs if made.role == "report")
    with table.open(newline="") as file:
        found = {row["name"]: row["state"] for row in csv.DictReader(file)}
    told = json.loads(report.path.read_text())
    assert {row["name"]: row["state"] for row in told["files"]} == found
    return found


@pytest.mark.parametrize("algorithm", TOOLS)
def test_coreutils_take_our_lists(algorithm: Any, run: Run, tree: Path) -> None:
    (made,) = run(Manifest(algorithm=algorithm), tree)
    checked = subprocess.run(
        [TOOLS[algorithm], "--check", "--strict", "--quiet", made.path],
        cwd=tree,
        check=False,
        capture_output=True,
        timeout=30,
    )
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert made.meta["name"].endswith("SUMS")


@pytest.mark.parametrize("form", ["text", "json", "csv"])
@pytest.mark.parametrize("algorithm", TOOLS)
def test_our_own_lists_are_read(
    algorithm: Any, form: Any, run: Run, tree: Path, tmp_path: Path, listener: Listener
) -> None:
    (made,) = run(Manifest(algorithm=algorithm, format=form), tree)
    kept = made.path.rename(tmp_path / "list")
    assert set(states(run(Verify(manifest=kept), tree)).values()) == {"ok"}
    assert listener.warnings == []


@pytest.mark.parametrize(
    "arguments",
    [["sha256sum"], ["sha256sum", "-b"], ["b2sum", "--tag"], ["sha512sum"], ["md5sum", "--tag"]],
)
def test_lists_of_coreutils_are_read(
    arguments: list[str], run: Run, tree: Path, tmp_path: Path
) -> None:
    listed = subprocess.run(
        [*arguments, *NAMES], cwd=tree, check=True, capture_output=True, timeout=30
    )
    kept = tmp_path / "list"
    kept.write_bytes(listed.stdout)
    assert set(states(run(Verify(manifest=kept), tree)).values()) == {"ok"}


def test_what_differs_is_told(run: Run, tree: Path, tmp_path: Path, listener: Listener) -> None:
    (made,) = run(Manifest(), tree)
    kept = made.path.rename(tmp_path / "list")
    (tree / "notes.txt").write_bytes(b"other")
    (tree / "trip/a.bin").unlink()
    (tree / "new.txt").write_bytes(b"new")
    found = states(run(Verify(manifest=kept), tree))
    assert found == {
        "notes.txt": "changed",
        "trip/a.bin": "missing",
        "new.txt": "extra",
        "trip/b (1).bin": "ok",
        NAMES[3]: "ok",
    }
    assert listener.warnings == ["1 changed: notes.txt.", "1 missing: trip/a.bin."]
    assert listener.infos[-1] == "2 of 4 are unchanged."


def test_a_list_among_the_files_is_found(run: Run, tree: Path) -> None:
    digest = sha256((tree / "notes.txt").read_bytes()).hexdigest()
    (tree / "SHA256SUMS").write_text(f"{digest.upper()} *notes.txt\r\n")
    found = states(run(Verify(), tree))
    assert found["notes.txt"] == "ok"
    assert "SHA256SUMS" not in found


def test_without_a_list_it_says_what_is_missing(run: Run, tree: Path) -> None:
    with pytest.raises(InputError, match="none was chosen") as caught:
        run(Verify(), tree)
    assert caught.value.code == "manifest_unreadable"


def test_folders_may_be_others(run: Run, tree: Path, tmp_path: Path) -> None:
    kept = tmp_path / "list"
    content = (tree / "trip/a.bin").read_bytes()
    kept.write_text(f"{md5(content, usedforsecurity=False).hexdigest()}  elsewhere/a.bin\n")
    assert states(run(Verify(manifest=kept), tree))["elsewhere/a.bin"] == "missing"
    assert states(run(Verify(manifest=kept, names="name"), tree))["trip/a.bin"] == "ok"


def test_of_several_files_of_one_name_each_goes_with_its_line(
    run: Run, tmp_path: Path, listener: Listener
) -> None:
    moved, kept = tmp_path / "moved", tmp_path / "list"
    for place, content in {"new/x.jpg": b"2", "old/x.jpg": b"1", "only/y.jpg": b"4"}.items():
        (moved / place).parent.mkdir(parents=True)
        (moved / place).write_bytes(content)
    lines = {"a/x.jpg": b"1", "b/x.jpg": b"2", "a/y.jpg": b"3", "b/y.jpg": b"4"}
    digests = {name: sha256(content).hexdigest() for name, content in lines.items()}
    kept.write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    found = states(run(Verify(manifest=kept, names="name"), moved))
    assert found == {"new/x.jpg": "ok", "old/x.jpg": "ok", "only/y.jpg": "ok", "a/y.jpg": "missing"}
    assert listener.warnings == ["1 missing: a/y.jpg."]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_list_that_powershell_wrote_is_read(
    encoding: str, run: Run, tree: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "list"
    digest = sha256((tree / "notes.txt").read_bytes()).hexdigest()
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    kept.write_bytes(f"{mark}{digest} *notes.txt\r\n".encode(encoding))
    assert states(run(Verify(manifest=kept), tree))["notes.txt"] == "ok"


def test_a_list_with_one_space_is_read(run: Run, tree: Path, tmp_path: Path) -> None:
    """As `md5 -r` of BSD and macOS writes it."""
    kept = tmp_path / "list"
    digest = sha256((tree / "notes.txt").read_bytes()).hexdigest()
    kept.write_text(f"{digest} notes.txt\n")
    assert states(run(Verify(manifest=kept), tree))["notes.txt"] == "ok"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        "abc  notes.txt\n",
        "{}",
        '{"files": [1]}',
        "name,size\nx,1\n",
        '{"files": "x"}',
        "\0\xff",
    ],
)
def test_what_is_no_list_is_refused(text: str, run: Run, tree: Path, tmp_path: Path) -> None:
    kept = tmp_path / "list"
    kept.write_text(text)
    with pytest.raises(InputError) as caught:
        run(Verify(manifest=kept), tree)
    assert caught.value.code == "manifest_unreadable"


def test_names_with_line_ends_are_escaped_as_coreutils_do(tmp_path: Path) -> None:
    from uploads.operations.summing import line

    odd = tmp_path / "a\nb\\c"
    odd.write_bytes(b"x")
    made = subprocess.run(
        ["sha256sum", odd.name], cwd=tmp_path, check=True, capture_output=True, timeout=30
    )
    assert line(sha256(b"x").hexdigest(), odd.name).encode() == made.stdout
