"""A disk that fills up under an upload: an answer, not a crash, and what fitted stays."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.intake.client import Client
from tests.intake.web import Web, running

MIB = 1024 * 1024
ENOUGH_FOR_TABLES = 24


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={ENOUGH_FOR_TABLES}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], check=False).returncode:
        pytest.skip("A FULL DISK IS NOT TESTED: it takes the right to mount a small one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def web(small_disk: Path) -> Iterator[Web]:
    with running(small_disk, TIDEMILL_DISK_RESERVE_BYTES="0") as web:
        yield web


def free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def test_a_file_that_does_not_fit_is_507_before_its_first_byte(web: Web) -> None:
    answer = Client(web).create(ENOUGH_FOR_TABLES * 2 * MIB)
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert not list((web.folder / "data" / "incoming").rglob("*.*"))


def test_a_disk_that_fills_up_on_the_way_is_507_and_keeps_what_fitted(web: Web) -> None:
    client = Client(web)
    location = client.new(6 * MIB)
    filler = web.folder / "filler"
    filler.write_bytes(bytes(free_bytes(web.folder) - 3 * MIB))
    data = os.urandom(6 * MIB)
    answer = client.patch(location, 0, data)
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    filler.unlink()
    kept = client.offset(location)
    assert MIB <= kept < 6 * MIB
    assert client.patch(location, kept, data[kept:]).status_code == 204
    assert client.http.get(location).content == data
