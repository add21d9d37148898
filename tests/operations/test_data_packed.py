"""Packed tables: taken as what is inside, within limits, and called without both endings."""

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from django.contrib.auth.models import User

from tests.factories import make_upload
from tests.work.conftest import work_off
from uploads.errors import InputError
from uploads.operations import Limits, Output
from uploads.operations.registry import operations
from uploads.sniff import sniff
from uploads.states import JobState
from uploads.work.submit import JobRequest, StageRequest, submit

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Perform = Callable[..., list[Output]]
Packed = Callable[..., Path]

ORDERS = "id,city\n" + "".join(f"{number},Porto\n" for number in range(1000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}
SUFFIXES = {"gz": "+gzip", "bz2": "+bzip2", "xz": "+xz", "zst": "+zstd"}
LINES = "".join(f'{{"id": {number}}}\n' for number in range(1000))


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        pack = PACKERS[path.suffix[1:].lower()]
        path.write_bytes(pack(content.encode() if isinstance(content, str) else content))
        return path

    return make


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("orders.csv.gz", ORDERS, "text/csv+gzip"),
        ("orders.gz", ORDERS, "text/csv+gzip"),
        ("orders.tsv.gz", ORDERS.replace(",", "\t"), "text/tab-separated-values+gzip"),
        ("lines.ndjson.gz", LINES, "application/x-ndjson+gzip"),
        ("list.json.gz", '[{"a": 1}, {"a": 2}]', "application/json+gzip"),
        ("orders.csv.gz", b"\x89PNG\r\n\x1a\n" + bytes(100), "application/gzip"),
        ("notes.txt.gz", "Just a line.\n" * 50, "application/gzip"),
        ("orders.csv.bz2", ORDERS, "text/csv+bzip2"),
        ("orders.csv.xz", ORDERS, "text/csv+xz"),
        ("orders.csv.zst", ORDERS, "text/csv+zstd"),
        ("lines.NDJSON.ZST", LINES, "application/x-ndjson+zstd"),
        ("notes.txt.xz", "Just a line.\n" * 50, "application/x-xz"),
        ("notes.txt.zst", "Just a line.\n" * 50, "application/zstd"),
        ("notes.txt.bz2", "Just a line.\n" * 50, "application/x-bzip2"),
        ("tree.tar.gz", b"a".ljust(257, b"\0") + b"ustar" + bytes(250), "application/gzip"),
    ],
)
def test_it_is_told_by_what_is_inside(packed: Packed, name: str, content: Any, kind: str) -> None:
    path = packed(name, content)
    assert sniff(path, name).media_type == kind
    assert operations()["archive.unpack"].accepts_type(kind)
    assert operations()["data.query"].accepts_type(kind) == ("+" in kind)


@pytest.mark.parametrize("ending", PACKERS)
def test_what_hardly_shrinks_is_told_as_well(packed: Packed, ending: str) -> None:
    """No packing gives anything before the first of its blocks was read whole."""
    chance = Random(3)
    rows = "".join(f"{number},{chance.randbytes(400).hex()}\n" for number in range(4000))
    path = packed(f"keys.csv.{ending}", f"id,key\n{rows}")
    assert path.stat().st_size > 1_500_000
    assert sniff(path, path.name).media_type == f"text/csv{SUFFIXES[ending]}"


def test_no_header_takes_much_memory(tmp_path: Path) -> None:
    """An xz may ask for 1.5 GiB before its first byte; then it stays an archive."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1536 * 1024**2, "preset": 0}]
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
    path = tmp_path / "orders.csv.xz"
    path.write_bytes(packer.compress(ORDERS.encode()) + packer.flush())
    assert sniff(path, path.name).media_type == "application/x-xz"


@pytest.mark.parametrize("ending", PACKERS)
def test_all_rows_of_it_are_converted(packed: Packed, perform: Perform, ending: str) -> None:
    made = perform("data.convert", packed(f"orders.csv.{ending}", ORDERS), format="parquet")
    found = duckdb.sql(f"SELECT count(*), max(id) FROM read_parquet('{made[0].path}')").fetchall()
    assert found == [(1000, 999)]


def test_it_is_looked_into_and_asked_by_its_own_name(packed: Packed, perform: Perform) -> None:
    orders, lines = packed("orders.csv.gz", ORDERS), packed("lines.ndjson.gz", LINES)
    assert perform("data.profile", orders)
    sql = "SELECT count(*) AS n FROM orders JOIN lines USING (id)"
    made = perform("data.query", orders, lines, sql=sql)
    assert made[0].path.read_text() == "n\n1000\n"


@pytest.mark.parametrize("ending", PACKERS)
def test_archives_are_unpacked_of_it_as_before(
    packed: Packed, perform: Perform, ending: str
) -> None:
    (made, *_) = perform("archive.unpack", packed(f"orders.csv.{ending}", ORDERS))
    assert made.path.read_text() == ORDERS


@pytest.mark.parametrize("ending", PACKERS)
def test_what_unpacks_to_too_much_is_refused(packed: Packed, perform: Perform, ending: str) -> None:
    bomb = packed(f"bomb.csv.{ending}", "a,b\n" + "0,0\n" * 5_000_000)
    with pytest.raises(InputError) as refused:
        perform("data.profile", bomb, limits=replace(Limits(), archive_max_bytes=10_000_000))
    assert refused.value.code == "table_too_large"
    assert f"bomb.csv.{ending}" in str(refused.value)


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("damage", ["short", "bits"])
def test_a_damaged_one_is_named(packed: Packed, perform: Perform, damage: str, ending: str) -> None:
    chance = Random(1)  # what is long though packed, so that its first block is whole
    rows = "".join(f"{number},{chance.randbytes(8).hex()}\n" for number in range(50_000))
    path = packed(f"orders.csv.{ending}", f"id,city\n{rows}")
    content = bytearray(path.read_bytes())
    if damage == "bits":
        content[-6] ^= 255  # of its checksum, or of what is last in it
    path.write_bytes(content[:-20] if damage == "short" else content)
    with pytest.raises(InputError) as refused:
        perform("data.convert", path)
    assert refused.value.code == "table_damaged"
    assert f"orders.csv.{ending}" in str(refused.value)


@pytest.mark.django_db
@pytest.mark.parametrize("ending", PACKERS)
def test_results_are_called_without_both_endings(packed: Packed, alice: User, ending: str) -> None:
    path = packed(f"orders.csv.{ending}", ORDERS)
    upload = make_upload(alice, path, media_type=f"text/csv{SUFFIXES[ending]}")
    job = submit(alice, JobRequest([StageRequest("data.convert")], [upload.key]))
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert job.results.get(role="result").name == "orders.parquet"
