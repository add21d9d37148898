"""Many files as one ZIP made while it is sent."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from uploads.errors import RequestError
from uploads.pages.zip_stream import ZipEntry, zip_response


def entry(folder: Path, name: str, data: bytes) -> ZipEntry:
    path = folder / f"{len(list(folder.iterdir()))}"
    path.write_bytes(data)
    return ZipEntry(path, name, len(data), f"{hash(data):x}")


async def ask(entries: list[ZipEntry], method: str = "GET", **headers: str) -> HttpResponseBase:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().generic(method, "/", headers=named)
    return await zip_response(request, entries, "results.zip")


async def body(response: HttpResponseBase) -> bytes:
    content = b"".join([piece async for piece in cast(AsyncIterator[bytes], response)])
    response.close()
    return content


@pytest.fixture
def entries(tmp_path: Path) -> list[ZipEntry]:
    return [
        entry(tmp_path, "a.jpg", b"first" * 200_000),
        entry(tmp_path, "a.jpg", b"second"),
        entry(tmp_path, "A.JPG", b"third"),
        entry(tmp_path, "day 1/b.jpg", b"fourth"),
        entry(tmp_path, "../../etc/passwd", b"fifth"),
        entry(tmp_path, "leer\u202e.txt", b""),
        entry(tmp_path, "語.txt", b"seventh"),
    ]


async def test_the_zip_holds_every_file_under_a_clean_name_of_its_own(
    entries: list[ZipEntry],
) -> None:
    response = await ask(entries)
    content = await body(response)
    assert response["Content-Length"] == str(len(content))
    assert response["Content-Disposition"].startswith('attachment; filename="results.zip"')
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        assert made.testzip() is None
        assert made.namelist() == [
            "a.jpg",
            "a (2).jpg",
            "A (3).JPG",
            "day 1/b.jpg",
            "etc/passwd",
            "leer.txt",
            "語.txt",
        ]
        assert made.read("a.jpg") == b"first" * 200_000
        assert made.read("A (3).JPG") == b"third"
        assert {info.compress_type for info in made.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("start", [0, 1, 70_000, 999_990, 1_000_100, -30])
async def test_a_broken_download_goes_on(entries: list[ZipEntry], start: int) -> None:
    whole = await ask(entries)
    content = await body(whole)
    wanted = f"bytes={start}" if start < 0 else f"bytes={start}-"
    response = await ask(entries, Range=wanted, If_Range=whole["ETag"])
    assert response.status_code == 206
    assert await body(response) == content[start:]


async def test_other_files_make_another_zip(entries: list[ZipEntry]) -> None:
    first, second = await ask(entries), await ask(entries[1:])
    assert first["ETag"] != second["ETag"]
    resumed = await ask(entries[1:], Range="bytes=10-", If_Range=first["ETag"])
    assert resumed.status_code == 200


async def test_head_tells_the_length(entries: list[ZipEntry]) -> None:
    head = await ask(entries, method="HEAD")
    assert head["Content-Length"] == (await ask(entries))["Content-Length"]


async def test_no_files_make_an_empty_zip() -> None:
    content = await body(await ask([]))
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        assert made.namelist() == []


async def test_a_missing_file_is_said_to_be_gone(entries: list[ZipEntry]) -> None:
    entries[0].path.unlink()
    with pytest.raises(RequestError, match="gone from the server"):
        await ask(entries)
