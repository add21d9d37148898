"""Tables packed by gzip: taken as what is inside, within limits, and called without both endings."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from django.contrib.auth.models import User

from tests.factories import make_upload
from tests.operations.conftest import Listener
from tests.work.conftest import work_off
from uploads.errors import InputError
from uploads.operations import Limits, Output
from uploads.operations.registry import operations
from uploads.sniff import sniff
from uploads.states import JobState
from uploads.work.submit import JobRequest, StageRequest, submit

Perform = Callable[..., list[Output]]
Packed = Callable[..., Path]

ORDERS = "id,city\n" + "".join(f"{number},Porto\n" for number in range(1000))
LINES = "".join(f'{{"id": {number}}}\n' for number in range(1000))


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(content.encode() if isinstance(content, str) else content))
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
        ("tree.tar.gz", b"a".ljust(257, b"\0") + b"ustar" + bytes(250), "application/gzip"),
    ],
)
def test_it_is_told_by_what_is_inside(packed: Packed, name: str, content: Any, kind: str) -> None:
    path = packed(name, content)
    assert sniff(path, name).media_type == kind
    assert operations()["archive.unpack"].accepts_type(kind)
    assert operations()["data.query"].accepts_type(kind) == kind.endswith("+gzip")


def test_all_rows_of_it_are_converted(packed: Packed, perform: Perform) -> None:
    made = perform("data.convert", packed("orders.csv.gz", ORDERS), format="parquet")
    found = duckdb.sql(f"SELECT count(*), max(id) FROM read_parquet('{made[0].path}')").fetchall()
    assert found == [(1000, 999)]


def test_it_is_looked_into_and_asked_by_its_own_name(packed: Packed, perform: Perform) -> None:
    orders, lines = packed("orders.csv.gz", ORDERS), packed("lines.ndjson.gz", LINES)
    assert perform("data.profile", orders)
    sql = "SELECT count(*) AS n FROM orders JOIN lines USING (id)"
    made = perform("data.query", orders, lines, sql=sql)
    assert made[0].path.read_text() == "n\n1000\n"


def test_archives_are_unpacked_of_it_as_before(packed: Packed, perform: Perform) -> None:
    (made, *_) = perform("archive.unpack", packed("orders.csv.gz", ORDERS))
    assert made.path.read_text() == ORDERS


def test_what_unpacks_to_too_much_is_refused(packed: Packed, perform: Perform) -> None:
    bomb = packed("bomb.csv.gz", "a,b\n" + "0,0\n" * 5_000_000)
    with pytest.raises(InputError) as refused:
        perform("data.profile", bomb, limits=replace(Limits(), archive_max_bytes=10_000_000))
    assert refused.value.code == "table_too_large"
    assert "bomb.csv.gz" in str(refused.value)


@pytest.mark.parametrize("damage", ["short", "bits"])
def test_a_damaged_one_is_named(
    packed: Packed, perform: Perform, listener: Listener, damage: str
) -> None:
    chance = Random(1)  # what is long though packed
    rows = "".join(f"{number},{chance.randbytes(8).hex()}\n" for number in range(20_000))
    path = packed("orders.csv.gz", f"id,city\n{rows}")
    content = bytearray(path.read_bytes())
    if damage == "bits":
        content[-6] ^= 255  # of its checksum
    path.write_bytes(content[:-20] if damage == "short" else content)
    with pytest.raises(InputError) as refused:
        perform("data.convert", path)
    assert refused.value.code == "table_damaged"
    assert "orders.csv.gz" in str(refused.value)


@pytest.mark.django_db
def test_results_are_called_without_both_endings(packed: Packed, alice: User) -> None:
    path = packed("orders.csv.gz", ORDERS)
    upload = make_upload(alice, path, media_type="text/csv+gzip")
    job = submit(alice, JobRequest([StageRequest("data.convert")], [upload.key]))
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert job.results.get(role="result").name == "orders.parquet"
